//! Where a stand-alone gate keeps what must outlive it: the audit log and the store of held queries.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Context as _;

/// The data folder.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DataDir {
    /// The gate's data folder [default: $XDG_DATA_HOME/countersign, or ~/.local/share/countersign].
    #[arg(long, env = "COUNTERSIGN_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
}

impl DataDir {
    /// The folder that was named, or the user's own; it need not exist.
    pub(super) fn path(&self) -> anyhow::Result<PathBuf> {
        let default = || default_path(std::env::var_os("XDG_DATA_HOME"), std::env::home_dir());
        self.data.clone().or_else(default).context("there is no home folder to keep data in; name one with --data")
    }
}

fn default_path(data_home: Option<OsString>, home: Option<PathBuf>) -> Option<PathBuf> {
    // The XDG specification has relative paths ignored.
    let named = data_home.map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || home.filter(|path| path.is_absolute()).map(|home| home.join(".local/share"));
    Some(named.or_else(home)?.join("countersign"))
}

#[cfg(test)]
impl DataDir {
    /// The folder at `path`.
    pub(super) fn at(path: &std::path::Path) -> Self {
        Self { data: Some(path.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data_home: &str, home: &str, expected: Option<&str>) {
        assert_eq!(default_path(Some(data_home.into()), Some(home.into())), expected.map(PathBuf::from));
    }

    #[test]
    fn the_default_is_the_users_own_data_folder() {
        check("/data", "/home/a", Some("/data/countersign"));
        check("", "/home/a", Some("/home/a/.local/share/countersign"));
        check("relative", "/home/a", Some("/home/a/.local/share/countersign"));
        check("", "", None);
    }
}
