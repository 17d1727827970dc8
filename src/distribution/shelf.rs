//! The last good bundle on disk, so that a gate starts without its operator.
//!
//! Guarantees: a new one takes the place of the old as a whole, also when power is lost in between. Must not judge what it
//! keeps: whatever is read is offered to the gate's intake like any other bytes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::limits::BUNDLE_BYTES_MAX;
use super::refusal::Refusal;

const FILE: &str = "bundle";
/// Written first; a power loss may leave it behind, and the next one overwrites it.
const BESIDE: &str = "bundle.new";

/// Why the shelf gives or takes nothing.
#[derive(Debug, thiserror::Error)]
pub enum ShelfFailure {
    /// The file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the file holds is not taken.
    #[error("`{}` is not a bundle for this gate", path.display())]
    Refused {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Refusal,
    },
}

/// A folder with one bundle, of one gate.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// The shelf in this folder, which must be there.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where the bundle is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// Puts a bundle in the place of the one before.
    pub(super) fn keep(&self, bytes: &[u8]) -> Result<(), ShelfFailure> {
        let beside = self.folder.join(BESIDE);
        replace(&self.folder, &beside, &self.path(), bytes)
            .map_err(|source| ShelfFailure::Unwritable { path: self.path(), source })
    }

    /// The bytes that are there, none before the first.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, ShelfFailure> {
        let path = self.path();
        match read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ShelfFailure::Unreadable { path, source }),
        }
    }
}

fn replace(folder: &Path, beside: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(beside, path)?;
    File::open(folder)?.sync_all()
}

/// One byte more than a bundle has at most: what is longer is refused as such.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BUNDLE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
