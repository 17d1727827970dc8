//! What a phase costs: CPU time of all that takes part, memory of the operator, writes at the API server.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::objects::Cluster;
use crate::process::{self, Memory, clock};

/// Everybody's CPU time so far.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    at: Instant,
    operator: Duration,
    api_server: Duration,
    etcd: Duration,
    simulator: Duration,
    writes: BTreeMap<String, u64>,
}

/// What was used between two moments.
#[derive(Debug, Clone)]
pub(crate) struct Usage {
    pub(crate) seconds: f64,
    pub(crate) operator_cpu: f64,
    pub(crate) api_server_cpu: f64,
    pub(crate) etcd_cpu: f64,
    pub(crate) simulator_cpu: f64,
    /// By what was written.
    pub(crate) writes: BTreeMap<String, u64>,
    /// Of the operator, at the end, in bytes.
    pub(crate) resident: f64,
    /// The most of it since its start.
    pub(crate) peak: f64,
}

impl Moment {
    /// Now.
    pub(crate) async fn now(operator: u32, cluster: &Cluster) -> Result<Self, Failure> {
        let writes = writes(&cluster.metrics().await?);
        Ok(Self {
            at: clock(),
            operator: process::cpu(operator)?,
            api_server: cpu_of("kube-apiserver")?,
            etcd: cpu_of("etcd")?,
            simulator: cpu_of_this()?,
            writes,
        })
    }

    /// From then to now.
    pub(crate) async fn until_now(&self, operator: u32, cluster: &Cluster) -> Result<Usage, Failure> {
        let now = Self::now(operator, cluster).await?;
        let between = |before: Duration, after: Duration| after.saturating_sub(before).as_secs_f64();
        let fresh = now.writes.iter().filter_map(|(what, count)| {
            let more = count - self.writes.get(what).copied().unwrap_or(0).min(*count);
            (more > 0).then(|| (what.clone(), more))
        });
        Ok(Usage {
            seconds: now.at.duration_since(self.at).as_secs_f64(),
            operator_cpu: between(self.operator, now.operator),
            api_server_cpu: between(self.api_server, now.api_server),
            etcd_cpu: between(self.etcd, now.etcd),
            simulator_cpu: between(self.simulator, now.simulator),
            writes: fresh.collect(),
            resident: process::resident(operator, Memory::Now)?,
            peak: process::resident(operator, Memory::Peak)?,
        })
    }
}

/// CPU time of a program that this process started.
fn cpu_of(name: &str) -> Result<Duration, Failure> {
    for pid in process::family(std::process::id()).into_iter().skip(1) {
        // The kernel cuts names of programs after 15 bytes.
        if fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim() == name) {
            return process::cpu(pid);
        }
    }
    Err(format!("`{name}` does not run").into())
}

/// CPU time of this process without its children, in ticks of 10 ms.
fn cpu_of_this() -> Result<Duration, Failure> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(") ").ok_or("no name in /proc/self/stat")?.1.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    Ok(Duration::from_millis((ticks(11) + ticks(12)) * 10))
}

/// What the API server has written so far, by what: `modelgates/status PATCH`. Leases are renewed as long as somebody leads,
/// and what is asked of it without being kept is no write.
fn writes(metrics: &str) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for line in metrics.lines().filter_map(|line| line.strip_prefix("apiserver_request_total{")) {
        let Some((labels, count)) = line.rsplit_once("} ") else { continue };
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\""))?;
            Some(rest.split_once('"')?.0)
        };
        let (verb, resource) = (label("verb").unwrap_or_default(), label("resource").unwrap_or_default());
        let kept = ["POST", "PUT", "PATCH", "APPLY", "DELETE"].contains(&verb)
            && !["leases", "tokenreviews", "subjectaccessreviews", ""].contains(&resource)
            // These the bench makes itself.
            && label("subresource") != Some("token")
            && (resource != "approvalpolicies" || label("subresource") == Some("status"))
            && label("code").is_some_and(|code| code.starts_with('2'));
        if kept {
            let slash = if label("subresource").unwrap_or_default().is_empty() { "" } else { "/" };
            let what = format!("{resource}{slash}{} {verb}", label("subresource").unwrap_or_default());
            *counts.entry(what).or_default() += count.parse::<f64>().map_or(0, whole);
        }
    }
    counts
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
fn whole(count: f64) -> u64 {
    count as u64
}
