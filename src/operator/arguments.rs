//! What the operator is told on the command line. Everything has a default: with a kubeconfig, or within a cluster, it runs.

use std::net::SocketAddr;
use std::path::PathBuf;

/// The operator.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where metrics and health are served (/metrics, /livez, /readyz).
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9465")]
    pub admin_listen: SocketAddr,
    /// How to reach the API server; `KUBECONFIG`, `~/.kube/config` or the Pod's own account when left out.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}
