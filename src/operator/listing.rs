//! What a watch tells of one kind of objects, and whether it has told everything once.

use std::collections::BTreeSet;

/// What a watch brings: one object, or the beginning and the end of a list of all there are.
#[derive(Debug)]
pub(super) enum Change<K, V> {
    /// A list begins: what it does not name is gone.
    ListBegins,
    /// This is there.
    There(K, V),
    /// This is gone.
    Gone(K),
    /// The list is whole.
    ListEnds,
}

/// What one watch has told.
#[derive(Debug)]
pub(super) struct Listing<K> {
    /// Named by the list that is being read.
    named: BTreeSet<K>,
    reading: bool,
    whole: bool,
}

impl<K> Default for Listing<K> {
    fn default() -> Self {
        Self { named: BTreeSet::new(), reading: false, whole: false }
    }
}

impl<K: Ord + Clone> Listing<K> {
    /// Whether a list was read to its end: before that, what is missing may only not have come yet.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole
    }

    pub(super) fn begin(&mut self) {
        self.named.clear();
        self.reading = true;
    }

    pub(super) fn name(&mut self, key: &K) {
        if self.reading {
            self.named.insert(key.clone());
        }
    }

    /// Everything that the list named.
    pub(super) fn end(&mut self) -> BTreeSet<K> {
        self.reading = false;
        self.whole = true;
        std::mem::take(&mut self.named)
    }
}
