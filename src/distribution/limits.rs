//! Every limit on what is distributed, each with its reason.

use std::time::Duration;

/// Largest bundle. One object is 1.5 MB at most in etcd, and hundreds of policies of ordinary size are below 1 MB; a gate holds
/// the bytes of one while it compiles.
pub const BUNDLE_BYTES_MAX: usize = 8 << 20;
/// Most objects in a bundle: as many as `compile` takes from one file.
pub const DOCUMENTS_MAX: usize = 1_000;
/// Most successions that lead from an anchor to a key: years of rotations; a new Pod gets a newer anchor.
pub(super) const SUCCESSIONS_MAX: usize = 16;
/// Longest UID: Kubernetes' are 36 characters.
pub(super) const UID_BYTES_MAX: usize = 128;
/// Longest name of a workload or namespace, as Kubernetes has it.
pub(super) const NAME_BYTES_MAX: usize = 253;
/// Most labels of a workload: nobody writes more.
pub(super) const LABELS_MAX: usize = 256;
/// Longest key or value of a label: a prefix of 253, a slash and a name of 63.
pub(super) const LABEL_BYTES_MAX: usize = 317;
/// Longest time without news that a bundle may allow: past it, nobody would call a rule set current.
pub(super) const AGE_MAX_MAX: Duration = Duration::from_hours(30 * 24);
/// How often both sides see whether the other is still there, when nothing is said,
pub(super) const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
/// and how long that may take before the connection is given up.
pub(super) const KEEPALIVE_WITHIN: Duration = Duration::from_secs(20);
