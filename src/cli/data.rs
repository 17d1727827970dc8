//! Which folder holds approvals and audit entries: the one the gate was started with.

use std::path::PathBuf;

use anyhow::Context as _;

/// Where the gate keeps its data.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DataFolder {
    /// The gate's data folder [default: $XDG_DATA_HOME/countersign or ~/.local/share/countersign].
    #[arg(long = "data", env = "COUNTERSIGN_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

impl DataFolder {
    /// The folder as given, or the user's own.
    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.data {
            return Ok(path.clone());
        }
        let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = named("XDG_DATA_HOME").or_else(|| Some(named("HOME")?.join(".local/share")));
        Ok(base.context("no home folder is known: name the gate's data folder with --data DIR")?.join("countersign"))
    }
}

#[cfg(test)]
impl DataFolder {
    pub(super) fn at(path: &std::path::Path) -> Self {
        Self { data: Some(path.to_owned()) }
    }
}
