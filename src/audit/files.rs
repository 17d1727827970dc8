//! The files of a log: their names, their order, and how they are opened.
//!
//! Must not know what is in them. Guarantees that new files are readable by their owner only and that their names
//! survive a power loss.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

const FIRST: &str = "audit.jsonl";
/// Highest number of a file; with 256 MiB each that is 256 TB.
const NUMBER_MAX: u32 = 999_999;

/// The file with this number; 0 is the first.
pub(super) fn path(dir: &Path, number: u32) -> PathBuf {
    if number == 0 { dir.join(FIRST) } else { dir.join(format!("audit-{number:06}.jsonl")) }
}

/// The number of the file with this name.
pub(super) fn number(name: &str) -> Option<u32> {
    if name == FIRST {
        return Some(0);
    }
    let digits = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?;
    let plain = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit());
    let number = digits.parse().ok().filter(|n| (1..=NUMBER_MAX).contains(n))?;
    plain.then_some(number)
}

/// All numbers in the folder, in order.
pub(super) fn numbers(dir: &Path) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for item in std::fs::read_dir(dir)? {
        found.extend(item?.file_name().to_str().and_then(number));
    }
    found.sort_unstable();
    Ok(found)
}

/// All files in the folder, in order.
pub(super) fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(numbers(dir)?.into_iter().map(|n| path(dir, n)).collect())
}

/// Makes the folder, for its owner only.
pub(super) fn make_dir(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

/// Makes a file that must not exist yet.
pub(super) fn create_new(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().append(true).create_new(true)).open(path)
}

/// Opens a file to append to, making it where needed.
pub(super) fn append(path: &Path) -> io::Result<File> {
    private(OpenOptions::new().read(true).append(true).create(true)).open(path)
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Makes the names of new files last.
pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_log_are_numbers() {
        assert_eq!(number("audit.jsonl"), Some(0));
        assert_eq!(number("audit-000012.jsonl"), Some(12));
        for other in ["audit-000000.jsonl", "audit-12.jsonl", "audit.jsonl.torn-1", "audit.lock", "audit-+00012.jsonl"]
        {
            assert_eq!(number(other), None, "{other}");
        }
        assert_eq!(path(Path::new("d"), 12), Path::new("d/audit-000012.jsonl"));
    }
}
