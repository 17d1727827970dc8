//! What a gate keeps on disk: the last good bundle, so that it starts without its operator, and its own key, so that its operator
//! knows it again.
//!
//! Guarantees: a new bundle takes the place of the old as a whole, also when power is lost in between; so does a key, which is
//! made once. Must not judge what it keeps: whatever is read is offered to the gate's intake like any other bytes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::key::{KeyFailure, SigningKey};
use super::limits::BUNDLE_BYTES_MAX;
use super::refusal::Refusal;

const FILE: &str = "bundle";
/// Written first; a power loss may leave it behind, and the next one overwrites it.
const BESIDE: &str = "bundle.new";
/// PKCS #8.
const KEY_FILE: &str = "gate.key";
const KEY_BESIDE: &str = "gate.key.new";
/// Longest file with a key.
const KEY_BYTES_MAX: usize = 4 << 10;

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
    /// The file does not hold the key of a gate.
    #[error("`{}` is not the key of a gate; when it is deleted, delete the Pod too, since it is known by its key", path.display())]
    NotAKey {
        /// Which.
        path: PathBuf,
        /// Why.
        source: KeyFailure,
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

/// A folder with one bundle and one key, of one gate.
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

    /// The gate's own key, made when there is none yet.
    pub fn key(&self) -> Result<SigningKey, ShelfFailure> {
        let path = self.folder.join(KEY_FILE);
        match read(&path, KEY_BYTES_MAX) {
            Ok(bytes) => SigningKey::from_pkcs8(&bytes).map_err(|source| ShelfFailure::NotAKey { path, source }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => self.made(path),
            Err(source) => Err(ShelfFailure::Unreadable { path, source }),
        }
    }

    fn made(&self, path: PathBuf) -> Result<SigningKey, ShelfFailure> {
        let made = SigningKey::generate().and_then(|key| Ok((key.to_pkcs8()?, key)));
        let (bytes, key) = made.map_err(|source| ShelfFailure::NotAKey { path: path.clone(), source })?;
        match replace(&self.folder, &self.folder.join(KEY_BESIDE), &path, &bytes) {
            Ok(()) => Ok(key),
            Err(source) => Err(ShelfFailure::Unwritable { path, source }),
        }
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
        match read(&path, BUNDLE_BYTES_MAX) {
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

/// One byte more than there may be: what is longer is refused as such.
fn read(path: &Path, bytes_max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
