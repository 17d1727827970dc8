//! What a run is told: how often, how long, which programs, where the results go.

use std::path::PathBuf;

use crate::Failure;

/// How to run.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// How often everything is measured; the figures are medians over rounds.
    pub(crate) rounds: usize,
    /// Seconds of one measurement.
    pub(crate) seconds: f64,
    /// How many rules the gate has.
    pub(crate) rules: usize,
    /// The gate's program.
    pub(crate) gate: PathBuf,
    /// nginx's program.
    pub(crate) nginx: PathBuf,
    /// Where the JSON and the chart are written.
    pub(crate) out: PathBuf,
    /// A README whose table is replaced.
    pub(crate) readme: Option<PathBuf>,
    /// Instead of a run: put the gate under bodies of so many bytes, for a profiler.
    pub(crate) load: Option<usize>,
    /// The same at so many requests a second, instead of as fast as can be.
    pub(crate) rate: Option<f64>,
}

impl Options {
    /// Reads `--name value` pairs.
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, Failure> {
        let mut options = Self {
            rounds: 7,
            seconds: 3.0,
            rules: 1_000,
            gate: PathBuf::from("target/release/countersign"),
            nginx: PathBuf::from("nginx"),
            out: PathBuf::from("target/bench"),
            readme: None,
            load: None,
            rate: None,
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{name}` needs a value"))?;
            match name.as_str() {
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--seconds" => options.seconds = value.parse::<f64>()?.clamp(0.5, 60.0),
                "--rules" => options.rules = value.parse()?,
                "--gate" => options.gate = value.into(),
                "--nginx" => options.nginx = value.into(),
                "--out" => options.out = value.into(),
                "--load" => options.load = Some(value.parse()?),
                "--rate" => options.rate = Some(value.parse::<f64>()?.clamp(1.0, 10_000.0)),
                "--readme" => options.readme = Some(value.into()),
                _ => return Err(format!("`{name}` is not an option").into()),
            }
        }
        Ok(options)
    }
}
