//! What the operator is told on the command line. Everything has a default: with a kubeconfig, or within a cluster, it runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::scope::Scope;
use super::watch::Sight;
use crate::compile;

/// Where a Pod finds the name of its own namespace.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// Where the operator keeps what is its own, when it runs in no Pod and is told nothing.
const NAMESPACE_DEFAULT: &str = "countersign-system";
/// Shorter Leases are lost whenever an API server is busy; the length is kept in whole seconds.
const LEASE_MIN: Duration = Duration::from_secs(1);
/// Longer ones leave a cluster without a leader for too long.
const LEASE_MAX: Duration = Duration::from_mins(5);

/// The operator.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where metrics and health are served (/metrics, /livez, /readyz).
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9465")]
    pub admin_listen: SocketAddr,
    /// How to reach the API server; `KUBECONFIG`, `~/.kube/config` or the Pod's own account when left out.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Where the operator keeps what is its own; its Pod's namespace, or `countersign-system`, which is made, when left out.
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// What is looked at.
    #[command(flatten)]
    pub sight: SightArguments,
    /// How several operators share the work.
    #[command(flatten)]
    pub election: ElectionArguments,
}

/// What is looked at.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What is looked at")]
pub struct SightArguments {
    /// Only these namespaces; all when left out. Who may read all is told nothing of the others either.
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub watch_namespaces: Vec<String>,
    /// Whether policies and chains of the cluster count. Who may not read them must say so: they are a floor for everybody.
    #[arg(long, value_name = "WHETHER", default_value = "watch", requires = "watch_namespaces")]
    pub cluster_policies: ClusterPolicies,
}

/// Whether policies and chains of the cluster count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ClusterPolicies {
    /// They are watched, and apply.
    Watch,
    /// They are neither read nor applied.
    Ignore,
}

/// How several operators share the work.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Several replicas")]
pub struct ElectionArguments {
    /// How long the others wait before they replace a leader that is not heard of; one that is asked to stop is replaced at once.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = lease)]
    pub lease_duration: Duration,
}

/// Where the operator keeps what is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The namespace.
    pub(super) namespace: String,
    /// Whether it is made when it is not there: nobody named it, and no Pod runs in it.
    pub(super) may_be_made: bool,
}

impl Arguments {
    /// What is watched.
    pub(super) fn sight(&self) -> Sight {
        let scope = Scope::of(&self.sight.watch_namespaces);
        Sight { scope, cluster_policies: self.sight.cluster_policies }
    }

    /// Where the operator keeps what is its own.
    pub(super) fn place(&self) -> Place {
        let own = || std::fs::read_to_string(OWN_NAMESPACE).ok();
        place(self.namespace.clone().or_else(own))
    }
}

fn place(named: Option<String>) -> Place {
    let may_be_made = named.is_none();
    let namespace = named.map_or_else(|| NAMESPACE_DEFAULT.to_owned(), |name| name.trim().to_owned());
    Place { namespace, may_be_made }
}

fn lease(text: &str) -> Result<Duration, String> {
    let duration = compile::duration(text).map_err(|flaw| flaw.to_string())?;
    if (LEASE_MIN..=LEASE_MAX).contains(&duration) && duration.subsec_nanos() == 0 {
        Ok(duration)
    } else {
        Err("must be whole seconds, between 1s and 5m".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_namespace_that_nobody_named_is_made() {
        assert_eq!(place(None), Place { namespace: "countersign-system".to_owned(), may_be_made: true });
        let named = Place { namespace: "gates".to_owned(), may_be_made: false };
        assert_eq!(place(Some("gates\n".to_owned())), named);
    }

    #[test]
    fn a_lease_has_whole_seconds() {
        assert_eq!(lease("15s"), Ok(Duration::from_secs(15)));
        for wrong in ["0", "500ms", "1500ms", "6m", "15"] {
            assert!(lease(wrong).is_err(), "{wrong}");
        }
    }
}
