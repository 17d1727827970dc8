//! What a run is told: how many gates, how often, which operator, where the results go.

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;

/// How to run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How many gates.
    pub(crate) gates: usize,
    /// How many of them each workload has.
    pub(crate) per_workload: usize,
    /// How often a policy is changed.
    pub(crate) rounds: usize,
    /// How many policies there are at last.
    pub(crate) policies: usize,
    /// How many gates come back at once.
    pub(crate) reconnecting: usize,
    /// How long nothing happens, to see whether the operator is idle.
    pub(crate) idle: Duration,
    /// The operator's program.
    pub(crate) operator: PathBuf,
    /// Where the JSON is written.
    pub(crate) out: PathBuf,
}

impl Options {
    /// Reads `--name value` pairs.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            gates: 100,
            per_workload: 50,
            rounds: 5,
            policies: 1_000,
            reconnecting: 1_000,
            idle: Duration::from_mins(1),
            operator: PathBuf::from("target/release/countersign-operator"),
            out: PathBuf::from("target/bench"),
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            match name.as_str() {
                "--gates" => options.gates = value.parse::<usize>()?.clamp(1, 20_000),
                // As many Pods as a ModelGate has lines for.
                "--per-workload" => options.per_workload = value.parse::<usize>()?.clamp(1, 1_000),
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--policies" => options.policies = value.parse::<usize>()?.max(1),
                "--reconnecting" => options.reconnecting = value.parse()?,
                "--idle" => options.idle = Duration::from_secs(value.parse()?),
                "--operator" => options.operator = value.into(),
                "--out" => options.out = value.into(),
                _ => return Err(format!("`{name}` is not an option").into()),
            }
        }
        options.reconnecting = options.reconnecting.min(options.gates);
        Ok(options)
    }
}
