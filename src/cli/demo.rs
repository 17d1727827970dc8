//! `countersign demo`: the demonstration model, the gate in front of it with the sample policies, and a tour.
//!
//! Everything runs as it would in earnest: each program is started as a process of its own, the tour speaks to public
//! ports only, and decides held queries with the same command that people use.

mod children;
mod client;
mod tour;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use children::Children;

use super::{Console, Exit};

/// The sample policies, as they lie in `config/samples`.
const SAMPLES: &[(&str, &str)] = &[
    ("credentials.yaml", include_str!("../../config/samples/credentials.yaml")),
    ("limits.yaml", include_str!("../../config/samples/limits.yaml")),
    ("personal-data.yaml", include_str!("../../config/samples/personal-data.yaml")),
    ("prompt-injection.yaml", include_str!("../../config/samples/prompt-injection.yaml")),
    ("sign-off.yaml", include_str!("../../config/samples/sign-off.yaml")),
];

/// Start a small model, the gate in front of it, and play a tour of what it does.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Put the gate in front of this server instead of the demonstration model (no tour then).
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// Where the gate listens; port 0 takes any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where the demonstration model listens; port 0 takes any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8081")]
    model_listen: SocketAddr,
    /// Where metrics and health are served; port 0 takes any free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8082")]
    admin_listen: SocketAddr,
    /// Where policies, held queries and the audit log of the demonstration are kept.
    #[arg(long, value_name = "DIR", default_value = "countersign-demo")]
    data: PathBuf,
    /// Whether to play the tour: and go on serving, not at all, or only the tour.
    #[arg(long, value_enum, default_value = "on")]
    tour: Tour,
}

/// Whether to play the tour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Tour {
    /// Play it, then go on serving.
    On,
    /// Serve only.
    Off,
    /// End after it; the exit status says whether everything happened as told.
    Only,
}

/// Where everything is.
#[derive(Debug, Clone)]
struct Addresses {
    gate: SocketAddr,
    model: SocketAddr,
    admin: SocketAddr,
    upstream: String,
}

/// Runs until it is interrupted or the tour has ended.
pub(super) fn run(args: &Arguments, _console: &mut Console) -> anyhow::Result<Exit> {
    if args.upstream.is_some() && args.tour == Tour::Only {
        bail!("the tour needs the demonstration model: leave out --upstream or --tour only");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(demonstrate(args))
}

async fn demonstrate(args: &Arguments) -> anyhow::Result<Exit> {
    let addresses = addresses(args)?;
    let policies = write_samples(&args.data)?;
    let mut children = Children::default();
    let outcome = tokio::select! {
        outcome = play(args, &addresses, &policies, &mut children) => outcome,
        () = super::interrupted() => Ok(Exit::Done),
    };
    children.stop().await?;
    outcome
}

async fn play(
    args: &Arguments,
    addresses: &Addresses,
    policies: &Path,
    children: &mut Children,
) -> anyhow::Result<Exit> {
    start(args, addresses, policies, children).await?;
    let tour = if args.upstream.is_some() { Tour::Off } else { args.tour };
    if tour != Tour::Off {
        let passed = tour::play(addresses, &args.data).await?;
        if tour == Tour::Only {
            return Ok(if passed { Exit::Done } else { Exit::Findings });
        }
    }
    invite(args, addresses, policies);
    children.watch().await
}

async fn start(
    args: &Arguments,
    addresses: &Addresses,
    policies: &Path,
    children: &mut Children,
) -> anyhow::Result<()> {
    if args.upstream.is_none() {
        children.start("demo-model", &["--listen", &addresses.model.to_string()])?;
        client::wait_until_ready(children, &format!("http://{}/health", addresses.model)).await?;
    }
    children.start(
        "gate",
        &[
            "--policies",
            &policies.display().to_string(),
            "--upstream",
            &addresses.upstream,
            "--listen",
            &addresses.gate.to_string(),
            "--admin-listen",
            &addresses.admin.to_string(),
            "--data",
            &args.data.display().to_string(),
            "--log-level",
            "warn",
        ],
    )?;
    client::wait_until_ready(children, &format!("http://{}/readyz", addresses.admin)).await
}

fn addresses(args: &Arguments) -> anyhow::Result<Addresses> {
    let gate = free(args.listen, "--listen")?;
    let admin = free(args.admin_listen, "--admin-listen")?;
    let model = if args.upstream.is_some() { args.model_listen } else { free(args.model_listen, "--model-listen")? };
    let upstream = args.upstream.clone().unwrap_or_else(|| format!("http://{model}"));
    Ok(Addresses { gate, model, admin, upstream })
}

/// An address that can be listened on right now; for port 0, one the system picks.
fn free(wanted: SocketAddr, flag: &str) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind(wanted).with_context(|| {
        format!(
            "cannot listen on {wanted}; choose another address with {flag} (ARGS=\"{flag} {}:0\")",
            Ipv4Addr::LOCALHOST
        )
    })?;
    Ok(listener.local_addr()?)
}

/// Writes the sample policies afresh, so that a demonstration always starts from the same ones.
fn write_samples(data: &Path) -> anyhow::Result<PathBuf> {
    let dir = data.join("policies");
    if dir.exists() {
        std::fs::remove_dir_all(&dir).with_context(|| format!("cannot clear {}", dir.display()))?;
    }
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    for (name, text) in SAMPLES {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(dir)
}

/// This very program, as the shell that started it finds it.
fn program() -> PathBuf {
    let found = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("countersign"));
    let below = std::env::current_dir().ok().and_then(|dir| Some(found.strip_prefix(dir).ok()?.to_owned()));
    below.unwrap_or(found)
}

fn invite(args: &Arguments, addresses: &Addresses, policies: &Path) {
    let (gate, admin, data) = (addresses.gate, addresses.admin, args.data.display());
    println!(
        "\nThe gate listens on http://{gate}, in front of {upstream}.
Policies: {policies} (edit them: changes are in force within a second)
Metrics:  http://{admin}/metrics

Try:
  curl http://{gate}/v1/chat/completions -d '{{\"model\":\"demo\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'
  curl http://{gate}/v1/chat/completions -d '{{\"model\":\"demo\",\"messages\":[{{\"role\":\"user\",\"content\":\"Write to ada@example.com\"}}]}}'
  curl http://{gate}/api/chat -d '{{\"model\":\"demo\",\"messages\":[{{\"role\":\"user\",\"content\":\"Tell me about project nightingale\"}}]}}'
  {program} approvals list --data {data}
  {program} approve ID --as alice --reason 'fine' --data {data}
  {program} audit tail --data {data}

Ctrl-C stops everything.",
        program = program().display(),
        upstream = addresses.upstream,
        policies = policies.display(),
    );
}
