//! `countersign gate`: the gate in front of one model server, without a cluster.
//!
//! Turns flags into settings; `standalone::serve` does the rest. Arguments are grouped by the room they are for.

mod identity;
mod limits;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use http::Uri;

use super::{Console, Exit};
use crate::audit::Durability;
use crate::rules::{Posture, Workload};
use crate::sidecar::{CallbackRules, GateSettings};
use crate::standalone::{self, CallbackSettings, Standalone, alerts};
use crate::telemetry::logs::{self, LogFormat};
use crate::wire::Server;

/// Judge every query in front of a model server.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A folder of policies and approval chains, or one file; edits are in force within a second.
    #[arg(long, value_name = "DIR")]
    policies: PathBuf,
    /// The model server.
    #[arg(long, value_name = "URL", value_parser = upstream)]
    upstream: Uri,
    /// Where queries come in.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where metrics and health are served (/metrics, /livez, /readyz).
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9464")]
    admin_listen: SocketAddr,
    #[command(flatten)]
    data: super::data_dir::DataDir,
    /// What the model server is; found by asking it when left out.
    #[arg(long, value_enum)]
    server: Option<ServerName>,
    /// `observe` records what would be refused, held or changed, and lets everything through.
    #[arg(long, value_enum, default_value = "enforce")]
    posture: PostureName,
    /// The models that are offered; others are refused. Any when left out.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    models: Vec<String>,
    /// The adapters (LoRA) that are offered, by name or path as clients name them; all others are refused.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    adapters: Vec<String>,
    #[command(flatten)]
    workload: WorkloadArguments,
    #[command(flatten)]
    identity: identity::IdentityArguments,
    #[command(flatten)]
    limits: limits::LimitArguments,
    /// A file that says where alerts are sent; without it they are logged only.
    #[arg(long, value_name = "FILE")]
    alerts: Option<PathBuf>,
    /// Where clients may have themselves called back when people have decided (`Countersign-Callback`): these addresses and
    /// everything below them. Nowhere when left out.
    #[arg(long, value_name = "URL", value_delimiter = ',', requires = "callback_secret")]
    callback_allow: Vec<String>,
    /// The secret that those messages are signed with; at least 16 bytes.
    #[arg(long, value_name = "FILE", requires = "callback_allow")]
    callback_secret: Option<PathBuf>,
    /// Whether an audit entry must be on disk, or in the operating system's hands, before a query goes on.
    #[arg(long, value_enum, default_value = "buffered")]
    audit: AuditDurability,
    /// How log lines look.
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormatName,
    /// Which log lines: `warn`, `info`, `debug`, or a filter such as `warn,countersign=debug`.
    #[arg(long, value_name = "FILTER", default_value = "info")]
    log_level: String,
}

/// What policies select by.
#[derive(Debug, clap::Args)]
struct WorkloadArguments {
    /// The namespace that policies must be in; cluster policies apply to all.
    #[arg(long, default_value = "default", help_heading = "Workload")]
    namespace: String,
    /// The workload's name.
    #[arg(long, default_value = "model", help_heading = "Workload")]
    workload: String,
    /// The workload's labels, which policies select by.
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = label, help_heading = "Workload")]
    labels: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ServerName {
    Vllm,
    Ollama,
    Llamacpp,
    Tgi,
    Sglang,
    Kserve,
    Openai,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum PostureName {
    Enforce,
    Observe,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum AuditDurability {
    /// In the operating system's hands: survives the end of this program.
    Buffered,
    /// On disk: survives a loss of power, at the price of its latency.
    Synced,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LogFormatName {
    Text,
    Json,
}

/// An address that can be asked, as it is found out before anything is served.
fn upstream(text: &str) -> Result<Uri, String> {
    let uri: Option<Uri> = text.parse().ok();
    let whole = |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    uri.filter(whole).ok_or_else(|| "expected `http://HOST:PORT` or `https://HOST`".to_owned())
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Serves until it is interrupted.
pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let format = match arguments.log_format {
        LogFormatName::Text => LogFormat::Text,
        LogFormatName::Json => LogFormat::Json,
    };
    logs::init(format, &arguments.log_level)?;
    // One thread serves queries: handing a query from thread to thread costs more than judging it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let standalone = standalone(arguments).await?;
        // Who asks for JSON reads the same from the log.
        if format == LogFormat::Text {
            console.note(format!(
                "countersign gate: http://{} -> {} ({}), metrics on http://{}",
                arguments.listen,
                arguments.upstream,
                standalone.settings.server.name(),
                arguments.admin_listen
            ))?;
        }
        standalone::serve(standalone, super::interrupted()).await?;
        Ok(Exit::Done)
    })
}

async fn standalone(arguments: &Arguments) -> anyhow::Result<Standalone> {
    let server = match arguments.server {
        Some(name) => name.into(),
        None => found(&arguments.upstream).await,
    };
    let mut settings = GateSettings::new(arguments.listen, arguments.upstream.clone(), server);
    settings.health_listen = Some(arguments.admin_listen);
    settings.posture = arguments.posture.into();
    settings.models.clone_from(&arguments.models);
    settings.adapters.clone_from(&arguments.adapters);
    settings.workload = arguments.workload.workload();
    arguments.limits.apply(&mut settings);
    settings.identity = arguments.identity.settings()?;
    let alerts = match &arguments.alerts {
        Some(path) => alerts::Settings::load(path)
            .with_context(|| format!("alerts cannot be sent as `{}` says", path.display()))?,
        None => alerts::Settings::default(),
    };
    settings.callbacks = CallbackRules::parse(&arguments.callback_allow).context("--callback-allow")?;
    let callbacks = arguments.callback_secret.as_deref().map(CallbackSettings::load).transpose()?;
    let durability = match arguments.audit {
        AuditDurability::Buffered => Durability::Buffered,
        AuditDurability::Synced => Durability::Synced,
    };
    let data = arguments.data.path()?;
    let holds = arguments.limits.holds();
    Ok(Standalone { settings, policies: arguments.policies.clone(), data, alerts, callbacks, holds, durability })
}

/// The server that an upstream says it is; the narrowest table of routes when it says nothing known.
async fn found(upstream: &Uri) -> Server {
    if let Some(server) = standalone::probe(upstream).await {
        return server;
    }
    tracing::warn!(
        "the upstream does not say which server it is: only routes of the OpenAI and Anthropic interfaces are judged, all \
         others are refused; say --server to choose another table"
    );
    Server::Openai
}

impl WorkloadArguments {
    fn workload(&self) -> Workload {
        let labels: BTreeMap<String, String> = self.labels.iter().cloned().collect();
        Workload { namespace: self.namespace.clone(), name: self.workload.clone(), labels }
    }
}

impl From<ServerName> for Server {
    fn from(name: ServerName) -> Self {
        match name {
            ServerName::Vllm => Self::Vllm,
            ServerName::Ollama => Self::Ollama,
            ServerName::Llamacpp => Self::Llamacpp,
            ServerName::Tgi => Self::Tgi,
            ServerName::Sglang => Self::Sglang,
            ServerName::Kserve => Self::Kserve,
            ServerName::Openai => Self::Openai,
        }
    }
}

impl From<PostureName> for Posture {
    fn from(name: PostureName) -> Self {
        match name {
            PostureName::Enforce => Self::Enforce,
            PostureName::Observe => Self::Observe,
        }
    }
}
