//! Compilations that the intakes of one process share: where many gates are played by one process, each bundle is compiled once.
//!
//! Guarantees: what is shared was compiled from the very bytes; what is refused is refused again. Knows nothing of signatures,
//! which every intake checks for itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::bundle::Bundle;
use super::contents;
use super::refusal::Refusal;
use crate::base::Digest;
use crate::compile::Compilation;

type Made = Arc<OnceLock<Result<Arc<Compilation>, Refusal>>>;

/// The last ones that were made.
#[derive(Debug)]
pub struct Compilations {
    max: usize,
    /// By the digest of what was signed, the newest last.
    made: Mutex<VecDeque<(Digest, Made)>>,
}

impl Compilations {
    /// As many as this are kept; none is as good as not sharing.
    #[must_use]
    pub const fn keeping(max: usize) -> Self {
        Self { max, made: Mutex::new(VecDeque::new()) }
    }

    /// What the bundle with these bytes compiles to.
    pub(super) fn load(&self, payload: Digest, bundle: &Bundle) -> Result<Arc<Compilation>, Refusal> {
        // Compiled outside of the lock: who needs another one does not wait.
        self.find(payload).get_or_init(|| contents::load(bundle).map(Arc::new)).clone()
    }

    fn find(&self, payload: Digest) -> Made {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = made.iter().find(|(known, _)| *known == payload) {
            return Arc::clone(found);
        }
        let begun = Made::default();
        made.push_back((payload, Arc::clone(&begun)));
        let surplus = made.len().saturating_sub(self.max);
        made.drain(..surplus);
        begun
    }
}
