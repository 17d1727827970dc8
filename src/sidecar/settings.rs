//! What a gate is told at start. Settings never change while it runs; policies and chains do ([`super::Rulebook`]).
//!
//! Every limit has a default with its reason. Knows nothing of flags, files or the environment.

use std::net::SocketAddr;
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderMap, Uri};

use super::callback::CallbackRules;
use super::identity::IdentitySettings;
use crate::base::limits::BODY_BYTES_MAX;
use crate::rules::{Failure, Posture, Workload};
use crate::wire::Server;

/// Everything a gate is told.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// Where queries come in.
    pub listen: SocketAddr,
    /// Where metrics and health are served; nowhere when absent.
    pub health_listen: Option<SocketAddr>,
    /// The model server in front of which the gate stands.
    pub upstream: UpstreamSettings,
    /// Whose route tables apply.
    pub server: Server,
    /// Whether to interfere.
    pub posture: Posture,
    /// What becomes of queries while the rule set in force is stale.
    pub on_stale: Failure,
    /// What is asked: policies select by its labels.
    pub workload: Workload,
    /// The models this workload offers; empty for any.
    pub models: Vec<String>,
    /// The adapters it offers; none when empty, because an adapter changes what the model is.
    pub adapters: Vec<String>,
    /// Limits of connections and bodies.
    pub limits: Limits,
    /// How callers prove who they are.
    pub identity: IdentitySettings,
    /// How clients wait for people.
    pub hold: HoldSettings,
    /// Where clients may have themselves called back; nowhere unless it is said.
    pub callbacks: CallbackRules,
    /// How long answers under way may take to finish at a shutdown.
    pub shutdown_grace: Duration,
}

impl GateSettings {
    /// Settings with every default, for a gate at `listen` in front of `upstream`.
    #[must_use]
    pub fn new(listen: SocketAddr, upstream: Uri, server: Server) -> Self {
        Self {
            listen,
            health_listen: None,
            upstream: UpstreamSettings::new(upstream),
            server,
            posture: Posture::Enforce,
            on_stale: Failure::Deny,
            workload: Workload::default(),
            models: Vec::new(),
            adapters: Vec::new(),
            limits: Limits::default(),
            identity: IdentitySettings::default(),
            hold: HoldSettings::default(),
            callbacks: CallbackRules::default(),
            // Kubernetes gives a Pod 30 s between SIGTERM and SIGKILL; five of them are for writing the record.
            shutdown_grace: Duration::from_secs(25),
        }
    }
}

/// The model server and how long it may take.
#[derive(Debug, Clone)]
pub struct UpstreamSettings {
    /// `http://host:port` or `https://host`; a path is put in front of every route.
    pub uri: Uri,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// How long the head of an answer may take: without streaming that is the whole generation.
    pub first_byte_timeout: Duration,
    /// How long the upstream may be silent within an answer.
    pub idle_timeout: Duration,
    /// Most idle connections kept.
    pub idle_connections_max: usize,
    /// How long an idle connection is kept: below the 5 s after which uvicorn (vLLM, SGLang) closes it.
    pub idle_connection_age_max: Duration,
}

impl UpstreamSettings {
    fn new(uri: Uri) -> Self {
        Self {
            uri,
            connect_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_mins(10),
            idle_timeout: Duration::from_mins(10),
            idle_connections_max: 64,
            idle_connection_age_max: Duration::from_secs(4),
        }
    }
}

/// Limits of connections and bodies.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most client connections; more wait in the system's queue. Each costs some tens of KB.
    pub connections_max: usize,
    /// How long a head may take, and how long a connection may idle between queries.
    pub head_timeout: Duration,
    /// Largest body, encoded or decoded; at most [`BODY_BYTES_MAX`].
    pub body_bytes_max: usize,
    /// How long a body may take in all.
    pub body_timeout: Duration,
    /// After [`Limits::body_grace`], a body must arrive at this rate on average, or it is given up.
    pub body_bytes_per_second_min: usize,
    /// How long a body may arrive slower than the minimum.
    pub body_grace: Duration,
    /// Most bytes of bodies held at once, over all connections: bounds memory.
    pub bytes_in_flight_max: usize,
    /// Most streams of one HTTP/2 connection.
    pub http2_streams_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4096,
            head_timeout: Duration::from_secs(30),
            body_bytes_max: BODY_BYTES_MAX,
            body_timeout: Duration::from_mins(1),
            body_bytes_per_second_min: 8 << 10,
            body_grace: Duration::from_secs(5),
            bytes_in_flight_max: 256 << 20,
            http2_streams_max: 128,
        }
    }
}

/// How clients wait for people; the reasons are measurements of unchanged SDKs.
#[derive(Debug, Clone)]
pub struct HoldSettings {
    /// Silence before anything is sent: a fast decision keeps its true status.
    pub grace: Duration,
    /// How long a client that does not stream is kept at most; usual hops give up after 60 s.
    pub slice: Duration,
    /// What a client is told to wait before it asks again, 1 to 60 s: every SDK obeys that range.
    pub retry_after: Duration,
    /// What a client that asks for the status is told to wait: short, since asking is cheap.
    pub poll_after: Duration,
    /// Clients, by the beginning of `User-Agent`, that ask again after `429` and not after `409`. Everybody else gets `409`:
    /// a `429` makes some routers take the model away from all their users.
    pub retry_by_429: Vec<String>,
    /// How often a stream gets a comment; an Envoy route gives up after 15 s of silence.
    pub comment_every: Duration,
    /// How often a stream gets an empty delta; LangChain gives up after 120 s without one.
    pub delta_every: Duration,
    /// Most held queries that wait in this gate at once, with their connections open.
    pub waiting_max: usize,
    /// Most bytes of them in memory: well below [`Limits::bytes_in_flight_max`], so that queries which wait for people never
    /// keep out those that need nobody.
    pub bytes_max: usize,
}

/// The status by which a client is told to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// `409`, which SDKs retry.
    Conflict,
    /// `429`, for clients that retry nothing else of the 4xx kind.
    TooManyRequests,
}

impl HoldSettings {
    /// How to tell the client with these headers to come again.
    pub(super) fn again(&self, headers: &HeaderMap) -> Again {
        let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let known = self.retry_by_429.iter().any(|start| !start.is_empty() && agent.starts_with(start.as_str()));
        if known { Again::TooManyRequests } else { Again::Conflict }
    }
}

impl Default for HoldSettings {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(2),
            slice: Duration::from_secs(50),
            retry_after: Duration::from_mins(1),
            poll_after: Duration::from_secs(5),
            retry_by_429: ["curl/", "python-requests/", "python-urllib3/"].map(str::to_owned).to_vec(),
            comment_every: Duration::from_secs(10),
            delta_every: Duration::from_secs(45),
            waiting_max: 256,
            bytes_max: 64 << 20,
        }
    }
}
