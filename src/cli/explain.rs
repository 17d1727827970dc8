//! `countersign explain`: what every rule says of one query, and why.

mod describe;
mod show;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;

use self::describe::Described;
use super::policies::Policies;
use super::trial::{self, ROUTE_DEFAULT, RequestLine, Trial};
use super::{Console, Exit, Output};
use crate::base::{Clock, SystemClock, limits};
use crate::compile;
use crate::rules::{Caller, Rates, Workload};
use crate::wire::Server;

/// Explain which rules match a query, where, and why the others do not. Nothing is sent anywhere.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The body of the query as a client would send it; `-` for standard input.
    #[arg(value_name = "QUERY")]
    query: PathBuf,
    /// Policies: files, or folders whose *.yaml and *.yml files are read.
    #[arg(short, long, required = true, value_name = "FILE|DIR")]
    policies: Vec<PathBuf>,
    /// The route that the query is sent to.
    #[arg(long, default_value = ROUTE_DEFAULT, value_name = "METHOD PATH")]
    route: RequestLine,
    /// The kind of model server: vllm, ollama, llamacpp, tgi, sglang, kserve or openai.
    #[arg(long, default_value = "openai", value_parser = trial::server)]
    server: Server,
    /// Who asks; nobody in particular when left out.
    #[arg(long)]
    user: Option<String>,
    /// A group of who asks; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// The namespace of the workload.
    #[arg(long, default_value = "default")]
    namespace: String,
    /// The name of the workload.
    #[arg(long, default_value = "model")]
    workload: String,
    /// A label of the workload; may be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = trial::label)]
    labels: Vec<(String, String)>,
    /// How to write the explanation.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

pub(super) fn run(arguments: &Arguments, console: &mut Console) -> anyhow::Result<Exit> {
    let labels: BTreeMap<_, _> = arguments.labels.iter().cloned().collect();
    let workload = Workload { namespace: arguments.namespace.clone(), name: arguments.workload.clone(), labels };
    let policies = Policies::read(&arguments.policies)?;
    let compiled = match &policies.documents {
        Ok(documents) => compile::compile(documents, &workload),
        Err(found) => Err(found.clone()),
    };
    let compilation = match compiled {
        Ok(compilation) => compilation,
        Err(found) => {
            policies.note_all(&found, console)?;
            return Ok(Exit::Unusable);
        }
    };
    policies.note_all(&compilation.warnings, console)?;
    let user = arguments.user.clone();
    let rate_key = user.clone().unwrap_or_else(|| "anonymous".to_owned());
    let caller = Caller { user, groups: arguments.groups.clone(), rate_key };
    let trial = Trial {
        server: arguments.server,
        line: &arguments.route,
        caller: &caller,
        workload: &workload,
        now: SystemClock::default().now(),
        rates: &Rates::default(),
        body: read(&arguments.query)?,
    };
    let described = Described::of(&trial, &compilation);
    match arguments.output {
        Output::Json => console.json(&described)?,
        Output::Table => show::show(&described, console)?,
    }
    Ok(Exit::Done)
}

/// The body, up to what a gate would read.
fn read(path: &Path) -> anyhow::Result<Bytes> {
    let unreadable = || format!("cannot read `{}`", path.display());
    let mut body = Vec::new();
    let most = limits::BODY_BYTES_MAX as u64 + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut body).context("cannot read standard input")?;
    } else {
        let file = std::fs::File::open(path).with_context(unreadable)?;
        file.take(most).read_to_end(&mut body).with_context(unreadable)?;
    }
    anyhow::ensure!(
        body.len() <= limits::BODY_BYTES_MAX,
        "`{}` is longer than the {} bytes that a gate reads",
        path.display(),
        limits::BODY_BYTES_MAX
    );
    Ok(body.into())
}
