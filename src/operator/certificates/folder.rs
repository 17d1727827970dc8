//! A folder that somebody else fills with `tls.crt`, `tls.key` and, if others are to be told whom to trust, `ca.crt`.
//!
//! Looked at every few seconds, by content: a folder that is mounted from a Secret is replaced as a whole, by a link, and a file
//! system need not say so.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Current;
use super::material::{Flaw, Served};

/// How often it is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Serves with what a folder holds, for ever.
pub(in super::super) async fn follow_folder(folder: PathBuf, current: Arc<Current>) {
    let mut complained = None;
    loop {
        // Files may be read between the replacing of one and the other: what does not fit together is read again.
        let told = read(&folder).and_then(|served| current.take(served)).err().map(|flaw| flaw.to_string());
        if let Some(flaw) = told.as_ref().filter(|_| complained != told) {
            tracing::warn!(folder = %folder.display(), flaw, "the certificate in the folder is not served with");
        }
        complained = told;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn read(folder: &Path) -> Result<Served, Flaw> {
    Served::read(|name| std::fs::read(folder.join(name)).ok())
}
