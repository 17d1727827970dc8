//! What the operator is told on the command line. Everything has a default: with a kubeconfig, or within a cluster, it runs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::scope::Scope;
use super::watch::Sight;
use super::webhook::Reach;
use crate::compile;

/// Where a Pod finds the name of its own namespace.
const OWN_NAMESPACE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
/// Where the operator keeps what is its own, when it runs in no Pod and is told nothing.
const NAMESPACE_DEFAULT: &str = "countersign-system";
/// The port of a Service that is not said.
const HTTPS: u16 = 443;
/// The port for gates, where nothing else is said.
const GATES_PORT: u16 = 9466;
/// A gate asks at a quarter of the maximum age; more often would be noise.
const AGE_MIN: Duration = Duration::from_secs(10);
/// As bundles have it: past it, nobody would call a rule set current.
const AGE_MAX: Duration = Duration::from_hours(30 * 24);
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
    /// What is served, and with which certificate.
    #[command(flatten)]
    pub serving: ServingArguments,
    /// How gates get what they judge by.
    #[command(flatten)]
    pub distribution: DistributionArguments,
}

/// How gates get what they judge by.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Gates")]
pub struct DistributionArguments {
    /// Where gates come; port 9466 on all addresses in a Pod, on loopback elsewhere, when left out.
    #[arg(long, value_name = "ADDR")]
    pub serve_listen: Option<SocketAddr>,
    /// How long a gate may judge by what it has when no operator can be reached.
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = age)]
    pub max_age: Duration,
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

/// What is served, and with which certificate.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Webhook and certificates")]
pub struct ServingArguments {
    /// A folder with `tls.crt`, `tls.key` and `ca.crt` that somebody else fills and renews (cert-manager, for one); the operator keeps
    /// certificates of its own in the Secret `countersign-certificates` when left out.
    #[arg(long, value_name = "FOLDER")]
    pub certificates: Option<PathBuf>,
    /// Where API servers ask before they store policies, chains and exceptions; they do not ask when left out.
    #[arg(long, value_name = "ADDR")]
    pub webhook_listen: Option<SocketAddr>,
    /// Tell the API server to ask through this Service of the operator's namespace.
    #[arg(long, value_name = "NAME[:PORT]", value_parser = service, requires = "webhook_listen", conflicts_with = "webhook_url")]
    pub webhook_service: Option<String>,
    /// Tell the API server to ask at this address, `https://HOST:PORT`.
    #[arg(long, value_name = "URL", value_parser = url, requires = "webhook_listen")]
    pub webhook_url: Option<String>,
}

/// Where the operator keeps what is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The namespace.
    pub(super) namespace: String,
    /// Whether it is made when it is not there: nobody named it, and no Pod runs in it.
    pub(super) may_be_made: bool,
}

impl DistributionArguments {
    /// Where gates come.
    pub(super) fn serve_listen(&self) -> SocketAddr {
        let in_a_pod = std::path::Path::new(OWN_NAMESPACE).exists();
        let address = if in_a_pod { IpAddr::from(Ipv6Addr::UNSPECIFIED) } else { IpAddr::from(Ipv4Addr::LOCALHOST) };
        self.serve_listen.unwrap_or_else(|| SocketAddr::new(address, GATES_PORT))
    }
}

impl Arguments {
    /// What is watched.
    pub(super) fn sight(&self) -> Sight {
        let scope = Scope::of(&self.sight.watch_namespaces);
        Sight { scope, cluster_policies: self.sight.cluster_policies }
    }

    /// Where the operator keeps what is its own.
    pub(super) fn place(&self) -> Place {
        place(self.namespace.clone())
    }
}

impl ServingArguments {
    /// How the API server is to reach the webhook, if it is to be told.
    pub(super) fn reach(&self) -> Option<Reach> {
        let service = self.webhook_service.as_ref().map(|service| {
            let (name, port) = service.split_once(':').unwrap_or((service, ""));
            Reach::Service { name: name.to_owned(), port: port.parse().unwrap_or(HTTPS) }
        });
        service.or_else(|| self.webhook_url.clone().map(Reach::Url))
    }

    /// What the operator is called by those who connect to it.
    pub(super) fn names(&self, namespace: &str) -> Vec<String> {
        let mut names = vec![format!("countersign-operator.{namespace}.svc")];
        match self.reach() {
            Some(Reach::Service { name, .. }) => names.push(format!("{name}.{namespace}.svc")),
            Some(Reach::Url(url)) => names.extend(host(&url)),
            None => {}
        }
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }
}

fn service(text: &str) -> Result<String, String> {
    let (name, port) = text.split_once(':').unwrap_or((text, "443"));
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(letters) {
        return Err("a Service's name has lower-case letters, digits and `-`".to_owned());
    }
    port.parse::<u16>().map(|_| text.to_owned()).map_err(|_| "the port is a number up to 65535".to_owned())
}

fn url(text: &str) -> Result<String, String> {
    host(text).map(|_| text.to_owned()).ok_or_else(|| "must be `https://HOST:PORT`, without a path".to_owned())
}

/// The host of an address of a server.
fn host(url: &str) -> Option<String> {
    let uri: axum::http::Uri = url.parse().ok()?;
    let is_server = uri.scheme_str() == Some("https") && uri.path() == "/" && uri.query().is_none();
    let host = uri.host().filter(|_| is_server)?;
    Some(host.trim_start_matches('[').trim_end_matches(']').to_owned())
}

/// Where the operator keeps what is its own: as it is told, where its Pod is, or in a namespace that it makes.
pub(super) fn place(told: Option<String>) -> Place {
    named(told.or_else(|| std::fs::read_to_string(OWN_NAMESPACE).ok()))
}

fn age(text: &str) -> Result<Duration, String> {
    let duration = compile::duration(text).map_err(|flaw| flaw.to_string())?;
    if (AGE_MIN..=AGE_MAX).contains(&duration) && duration.subsec_nanos() == 0 {
        Ok(duration)
    } else {
        Err("must be whole seconds, between 10s and 720h".to_owned())
    }
}

fn named(named: Option<String>) -> Place {
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
        assert_eq!(named(None), Place { namespace: "countersign-system".to_owned(), may_be_made: true });
        let gates = Place { namespace: "gates".to_owned(), may_be_made: false };
        assert_eq!(named(Some("gates\n".to_owned())), gates);
    }

    #[test]
    fn the_api_server_is_told_a_service_or_an_address() {
        let serving = |service: Option<&str>, url: Option<&str>| ServingArguments {
            certificates: None,
            webhook_listen: None,
            webhook_service: service.map(str::to_owned),
            webhook_url: url.map(str::to_owned),
        };
        let of = |port| Some(Reach::Service { name: "gate".to_owned(), port });
        assert_eq!(serving(Some("gate"), None).reach(), of(443));
        assert_eq!(serving(Some("gate:9443"), None).reach(), of(9443));
        assert_eq!(serving(None, None).reach(), None);
        let names = serving(None, Some("https://[fd00::1]:9443")).names("models");
        assert_eq!(names, ["countersign-operator.models.svc", "fd00::1", "localhost", "127.0.0.1", "::1"]);
        assert_eq!(serving(Some("gate:9443"), None).names("models")[1], "gate.models.svc");
        for wrong in ["http://a:1", "https://a/b", "a", "https://", "https://a?b"] {
            assert!(url(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "a:b", "a:70000", "A", "a.b"] {
            assert!(service(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lease_has_whole_seconds() {
        assert_eq!(lease("15s"), Ok(Duration::from_secs(15)));
        for wrong in ["0", "500ms", "1500ms", "6m", "15"] {
            assert!(lease(wrong).is_err(), "{wrong}");
        }
    }
}
