//! The policy folder: files of the same YAML that a cluster takes, loaded all or nothing.
//!
//! A folder's own `*.yaml` and `*.yml` files are read in order of name, sub-folders and names that begin with a dot are
//! not: a mounted ConfigMap keeps older versions of itself in such a folder. Guarantees that what is loaded was read once.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::base::{Clock as _, Digest, Hasher, SystemClock, apart, discard};
use crate::compile::{self, Compilation, Diagnostic, Document};
use crate::rules::Workload;

/// Most files in a policy folder.
pub const FOLDER_FILES_MAX: usize = 1_000;
/// Longest file read; the compiler's own limit is lower, and tells where.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// One file of policies, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// Its path, as people gave it.
    pub name: String,
    /// What it holds.
    pub text: String,
}

/// Why policies cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailure {
    /// A file or folder cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Too many files.
    #[error("`{}` holds more than {FOLDER_FILES_MAX} files of policies", path.display())]
    TooMany {
        /// Which folder.
        path: PathBuf,
    },
    /// The policies have problems; each is rendered in full.
    #[error("the policies have {} problem{}", rendered.len(), if rendered.len() == 1 { "" } else { "s" })]
    Refused {
        /// Each problem with its file, line and caret.
        rendered: Vec<String>,
    },
}

impl LoadFailure {
    /// The whole story: every problem with its file, line and caret, or the cause.
    #[must_use]
    pub fn in_full(&self) -> String {
        match self {
            Self::Refused { rendered } => format!("{self}\n{}", rendered.join("\n")),
            Self::Unreadable { source, .. } => format!("{self}: {source}"),
            Self::TooMany { .. } => self.to_string(),
        }
    }
}

/// Policies in force.
#[derive(Debug)]
pub struct Loaded {
    /// What the gate judges by.
    pub compilation: Compilation,
    /// The warnings, rendered in full.
    pub warnings: Vec<String>,
    /// The digest of the files that it was made from.
    pub digest: Digest,
}

/// A folder of policies.
#[derive(Debug, Clone)]
pub struct PolicyFolder {
    path: PathBuf,
}

impl PolicyFolder {
    /// The folder at `path`; a single file serves too.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads its files.
    pub fn read(&self) -> Result<Vec<PolicyFile>, LoadFailure> {
        gather(std::slice::from_ref(&self.path))
    }

    /// A digest of what the file system says of its files (names, sizes, times, numbers), which costs a hundredth of reading
    /// them; `None` where that cannot be told.
    #[cfg(unix)]
    pub(super) fn stamp(&self) -> Option<Digest> {
        use std::os::unix::fs::MetadataExt as _;
        let paths = if self.path.is_dir() { list(&self.path).ok()? } else { vec![self.path.clone()] };
        let mut hasher = Hasher::default();
        for path in paths {
            let found = std::fs::metadata(&path).ok()?;
            hasher.field(path.as_os_str().as_encoded_bytes());
            for number in [found.dev(), found.ino(), found.size()] {
                hasher.update(&number.to_be_bytes());
            }
            for time in [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()] {
                hasher.update(&time.to_be_bytes());
            }
        }
        Some(hasher.finish())
    }

    /// A digest of what the file system says of its files; not told here.
    #[cfg(not(unix))]
    pub(super) fn stamp(&self) -> Option<Digest> {
        None
    }

    /// Reads and compiles its files for one workload, all or nothing.
    pub fn load(&self, workload: &Workload) -> Result<Loaded, LoadFailure> {
        compile_files(&self.read()?, workload)
    }
}

/// Compiles files for one workload.
pub(super) fn compile_files(files: &[PolicyFile], workload: &Workload) -> Result<Loaded, LoadFailure> {
    let compiled = apart(|| documents(files)).and_then(|documents| {
        let compiled = compile::load(&documents, workload);
        let ended = compile::ended(&documents, SystemClock::default().now());
        discard(documents);
        compiled.map(|compilation| (compilation, ended))
    });
    match compiled {
        Ok((compilation, ended)) => {
            let mut warnings = rendered(&compilation.warnings, files);
            warnings.extend(rendered(&ended, files));
            Ok(Loaded { compilation, warnings, digest: digest(files) })
        }
        Err(found) => Err(LoadFailure::Refused { rendered: rendered(&found, files) }),
    }
}

/// The documents of all files, or every problem of their shape.
pub fn documents(files: &[PolicyFile]) -> Result<Vec<Document>, Vec<Diagnostic>> {
    let mut documents = Vec::new();
    let mut found = Vec::new();
    for file in files {
        match compile::read(&file.name, &file.text) {
            Ok(more) => documents.extend(more),
            Err(more) => found.extend(more),
        }
    }
    if found.is_empty() { Ok(documents) } else { Err(found) }
}

fn rendered(diagnostics: &[Diagnostic], files: &[PolicyFile]) -> Vec<String> {
    let text = |d: &Diagnostic| {
        let at = d.at.as_ref()?;
        files.iter().find(|f| f.name == at.file).map(|f| f.text.as_str())
    };
    diagnostics.iter().map(|d| compile::render(d, text(d))).collect()
}

/// Names files and contents together.
pub(super) fn digest(files: &[PolicyFile]) -> Digest {
    let mut hasher = Hasher::default();
    for file in files {
        hasher.field(file.name.as_bytes());
        hasher.field(file.text.as_bytes());
    }
    hasher.finish()
}

/// Reads files, and the policy files of folders.
pub fn gather(paths: &[PathBuf]) -> Result<Vec<PolicyFile>, LoadFailure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            for path in list(path)? {
                files.push(read(&path)?);
            }
        } else {
            files.push(read(path)?);
        }
    }
    Ok(files)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, LoadFailure> {
    let unreadable = |source| LoadFailure::Unreadable { path: folder.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        let yaml = path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        if !hidden && yaml && !path.is_dir() {
            paths.push(path);
        }
        if paths.len() > FOLDER_FILES_MAX {
            return Err(LoadFailure::TooMany { path: folder.to_owned() });
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<PolicyFile, LoadFailure> {
    let unreadable = |source| LoadFailure::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(PolicyFile { name: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_own_yaml_files_in_order_of_name() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yml", "a.yaml", ".hidden.yaml", "notes.md", "c.yaml.bak"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("sub.yaml")).unwrap();
        let files = PolicyFolder::at(folder.path()).read().unwrap();
        let names: Vec<_> = files.iter().map(|f| Path::new(&f.name).file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.yaml", "b.yml"]);
    }

    #[test]
    fn all_files_load_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let good = "apiVersion: countersign.dev/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: a}\nspec: {}\n";
        std::fs::write(folder.path().join("a.yaml"), good).unwrap();
        std::fs::write(folder.path().join("b.yaml"), "kind: Nothing\n").unwrap();
        let failure = PolicyFolder::at(folder.path()).load(&Workload::default()).unwrap_err();
        assert!(matches!(&failure, LoadFailure::Refused { rendered } if rendered.len() == 1), "{failure:?}");
    }
}
