//! A query put to the policies without a gate: which one, on which route, by whom, to which workload.
//!
//! Shared by the verbs that judge a query as a gate would. Guarantees that they read it, its policies and its caller alike.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use jiff::Timestamp;

use super::Console;
use super::policies::Policies;
use super::trial::{self, ROUTE_DEFAULT, RequestLine, Trial};
use crate::base::{Clock as _, SystemClock, limits};
use crate::compile::{self, Compilation};
use crate::rules::{Caller, Rates, Workload};
use crate::wire::Server;

/// What is asked, by whom and of whom.
#[derive(Debug, clap::Args)]
pub(super) struct Question {
    /// The body of the query as a client would send it; `-` for standard input.
    #[arg(value_name = "QUERY")]
    query: PathBuf,
    /// Policies: files, or folders whose *.yaml and *.yml files are read.
    #[arg(short, long, required = true, value_name = "FILE|DIR")]
    policies: Vec<PathBuf>,
    /// The route that the query is sent to.
    #[arg(long, default_value = ROUTE_DEFAULT, value_name = "METHOD PATH")]
    pub(super) route: RequestLine,
    /// The kind of model server: vllm, ollama, llamacpp, tgi, sglang, kserve or openai.
    #[arg(long, default_value = "openai", value_parser = trial::server)]
    server: Server,
    /// Who asks; nobody in particular when left out.
    #[arg(long)]
    pub(super) user: Option<String>,
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
}

impl Question {
    pub(super) fn workload(&self) -> Workload {
        let labels: BTreeMap<_, _> = self.labels.iter().cloned().collect();
        Workload { namespace: self.namespace.clone(), name: self.workload.clone(), labels }
    }

    pub(super) fn caller(&self) -> Caller {
        let rate_key = self.user.clone().unwrap_or_else(|| "anonymous".to_owned());
        Caller { user: self.user.clone(), groups: self.groups.clone(), rate_key }
    }

    /// The policies as a gate loads them; `None` when they have errors, which were noted.
    pub(super) fn compile(&self, workload: &Workload, console: &mut Console) -> anyhow::Result<Option<Compilation>> {
        let policies = Policies::read(&self.policies)?;
        let compiled = match &policies.documents {
            Ok(documents) => compile::compile(documents, workload),
            Err(found) => Err(found.clone()),
        };
        match compiled {
            Ok(compilation) => {
                policies.note_all(&compilation.warnings, console)?;
                let documents = policies.documents.as_deref().unwrap_or_default();
                policies.note_all(&compile::ended(documents, SystemClock::default().now()), console)?;
                Ok(Some(compilation))
            }
            Err(found) => {
                policies.note_all(&found, console)?;
                Ok(None)
            }
        }
    }

    /// The query, to be judged.
    pub(super) fn trial<'a>(
        &'a self,
        (caller, workload, rates): (&'a Caller, &'a Workload, &'a Rates),
        now: Timestamp,
    ) -> anyhow::Result<Trial<'a>> {
        let body = read(&self.query)?;
        Ok(Trial { server: self.server, line: &self.route, caller, workload, now, rates, body })
    }
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
