//! How long gates may take, and how many may come at once; each with its reason.

use std::time::Duration;

/// Limits of the server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a gate may take from its connection to its claim: a handshake and two messages.
    pub claim_within: Duration,
    /// How long looking up and pinning a Pod may take, its turn included: the API server may be slow when all gates come.
    pub admit_within: Duration,
    /// How long a gate may take to take a bundle and say what became of it: the largest ones compile for seconds.
    pub answer_within: Duration,
    /// How long a gate that holds something newer than this replica knows is sent nothing: a replica that lags catches up.
    pub lag_within: Duration,
    /// Most connections whose claim has not been believed yet; more wait in the system's queue.
    pub strangers_max: usize,
    /// Most of them from one address; a further one is sent away at once. Half of all, so that nobody keeps out everybody, and
    /// no fewer, because all Pods of a node may come from one.
    pub strangers_per_address_max: usize,
    /// Most Pods that are looked up at once: each costs the API server a review.
    pub admissions_max: usize,
    /// Shortest time between two vouchers for one gate: each costs a signature.
    pub vouch_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            claim_within: Duration::from_secs(10),
            admit_within: Duration::from_mins(1),
            answer_within: Duration::from_mins(1),
            lag_within: Duration::from_secs(10),
            strangers_max: 1_024,
            strangers_per_address_max: 512,
            admissions_max: 32,
            vouch_every: Duration::from_secs(1),
        }
    }
}
