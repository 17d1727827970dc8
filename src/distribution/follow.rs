//! The gate's half: a connection to the operator that is made again and again, and what comes on it.
//!
//! # Flow
//! [`Follower::run`] connects, has the operator prove itself, proves that it stands in its Pod, says what it holds, and offers
//! what comes to the [`Intake`]; what that takes goes to the [`Keeper`], who puts it in force, and is acknowledged only then. At a
//! quarter of its age the operator is asked to vouch for the bundle in force.
//!
//! # Guarantees
//! * Until the operator has proved itself, nothing but a random number is sent.
//! * A bundle is acknowledged when it was tested and is in force, and not before.
//! * A connection that breaks changes nothing; the next one is tried at a random moment, sooner at first and later later, so
//!   that gates do not come all at once.
//!
//! Many may run in one process: nothing is shared but what they are given. Knows nothing of files, nor of what a gate does with
//! a rule set.

mod connect;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod pace;
mod session;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Authority;
use tokio::time::{sleep, timeout};
use tonic::Status;

use super::intake::{Accepted, Intake};
use super::key::{KeyFailure, SigningKey};
use super::protocol::{FromGate, FromOperator};
use super::refusal::{Refusal, Unproven};
use super::shelf::ShelfFailure;
use super::statement::Nonce;
use crate::base::Clock;
use connect::{Connection, connect};
use pace::Pace;
use session::{Heard, Session};

pub use connect::Tls;

/// How long it may take from nothing to an operator that has proved itself.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long the operator may take to look up the Pod: it may have to wait for its turn at the API server.
const ADMIT_WITHIN: Duration = Duration::from_secs(70);
/// Longest sleep without a look at the clock.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// What a gate is told about the way to its operator.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the operator listens: `countersign-operator.countersign-system.svc:9466`.
    pub operator: Authority,
    /// The UID of the Pod that the gate runs in.
    pub pod_uid: String,
    /// The gate's version.
    pub version: String,
}

/// Why a connection ended, or was not made.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Nobody answers there.
    #[error("the operator cannot be reached")]
    Unreachable(#[source] io::Error),
    /// What answers does not speak TLS 1.3 and HTTP/2 as the operator does.
    #[error("what listens there is not the operator: {0}")]
    NotTheOperator(&'static str),
    /// The connection broke.
    #[error("the connection to the operator broke")]
    Connection(#[source] hyper::Error),
    /// The operator does not prove itself.
    #[error("the operator does not prove that it has the key of this gate's anchor")]
    Unproven(#[source] Unproven),
    /// The operator says no.
    #[error("the operator says: {} ({:?})", .0.message(), .0.code())]
    Refused(Status),
    /// The operator says what it may not say now.
    #[error("the operator breaks the protocol: {0}")]
    Protocol(&'static str),
    /// The operator takes too long.
    #[error("the operator does not answer in time")]
    Timeout,
    /// The token of the Pod cannot be read.
    #[error("the token of the Pod cannot be read")]
    Token(#[source] io::Error),
    /// The gate's own key cannot be used.
    #[error("the key of the gate cannot be used")]
    Key(#[source] KeyFailure),
    /// There is no randomness.
    #[error("the operating system gives no randomness")]
    Randomness,
}

/// What a keeper is told of.
#[derive(Debug)]
pub enum News<'a> {
    /// The operator knows this gate.
    Admitted,
    /// What was put in force is acknowledged, and may or may not be found again by a restart.
    Kept(&'a Result<(), ShelfFailure>),
    /// A bundle was refused; what was in force still is.
    Refused(&'a Refusal),
    /// Until when what is in force may be judged by, on the monotonic clock.
    FreshUntil(Duration),
    /// What vouches for the bundle in force does not hold.
    NotRenewed(Unproven),
    /// The connection ended; the next one is tried after this long.
    Lost(&'a Broken, Duration),
}

/// Who puts in force what a gate takes.
pub trait Keeper: Send {
    /// Puts it in force, or says why that cannot be; then what is in force stays.
    fn put_in_force(&mut self, accepted: &Accepted) -> Result<(), &'static str>;
    /// Hears how it goes on.
    fn hear(&mut self, news: News<'_>);
}

/// Reads the token of the Pod as it is now.
pub type Token = Box<dyn Fn() -> io::Result<String> + Send>;
/// Gives fresh randomness, or nothing when there is none.
pub type Random = Box<dyn FnMut() -> Option<[u8; 32]> + Send>;

/// A gate that follows its operator.
pub struct Follower<K> {
    /// The way.
    pub settings: Settings,
    /// How connections are made.
    pub tls: Tls,
    /// The key that the Pod is pinned to.
    pub key: SigningKey,
    /// The token by which it is pinned.
    pub token: Token,
    /// What is taken.
    pub intake: Intake,
    /// Who puts it in force.
    pub keeper: K,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Random,
}

impl<K: Keeper> Follower<K> {
    /// Follows for as long as it is not dropped.
    pub async fn run(mut self) -> Infallible {
        let mut pace = Pace::default();
        loop {
            let Err(broken) = self.once(&mut pace).await;
            let chance = (self.random)().and_then(|bytes| bytes.first_chunk().copied()).map_or(0, u64::from_be_bytes);
            let pause = pace.next(chance);
            self.keeper.hear(News::Lost(&broken, pause));
            sleep(pause).await;
        }
    }

    /// One connection, from its beginning to its end.
    async fn once(&mut self, pace: &mut Pace) -> Result<Infallible, Broken> {
        let joining = timeout(CONNECT_WITHIN, self.greet()).await.map_err(|_| Broken::Timeout)?;
        let (mut connection, mut session) = joining?;
        let answer = timeout(ADMIT_WITHIN, connection.message()).await.map_err(|_| Broken::Timeout)?;
        session::admitted(answer?)?;
        pace.succeeded();
        self.keeper.hear(News::Admitted);
        loop {
            let pause = self.pause(&session);
            let heard = tokio::select! {
                message = connection.message() => session.hears(message?, &mut self.intake, &mut self.keeper, self.clock.monotonic())?,
                () = sleep(pause) => Heard::Nothing,
            };
            if let Heard::Answer(answer) = heard {
                connection.send(&answer).await?;
            }
            if let Some(question) = session.asks(&self.intake, self.clock.monotonic(), &mut self.random)? {
                connection.send(&question).await?;
            }
        }
    }

    /// Connects, and says who is there once the operator has proved itself.
    async fn greet(&mut self) -> Result<(Connection, Session), Broken> {
        let mut connection = connect(&self.settings.operator, &self.tls).await?;
        let nonce = Nonce::of((self.random)().ok_or(Broken::Randomness)?);
        let (session, hello) = Session::begin(nonce, connection.certificate(), &self.settings.pod_uid);
        connection.open(&hello).await?;
        let welcome = connection.message().await?;
        let theirs = session.welcomed(welcome, &self.intake)?;
        let token = (self.token)().map_err(Broken::Token)?;
        let claim = session.claim(&theirs, &self.key, token, self.settings.version.clone()).map_err(Broken::Key)?;
        connection.send(&claim).await?;
        connection.send(&session::holding(&self.intake)).await?;
        Ok((connection, session))
    }

    /// Until something is to be done without being told.
    fn pause(&self, session: &Session) -> Duration {
        let due = session.due(&self.intake);
        due.map_or(LOOK_EVERY, |due| due.saturating_sub(self.clock.monotonic()).min(LOOK_EVERY))
    }
}

/// A message of the gate.
fn say(message: super::protocol::from_gate::Message) -> FromGate {
    FromGate { message: Some(message) }
}

/// What a message of the operator holds; nothing when a later release says something that is not known here.
fn said(message: FromOperator) -> Option<super::protocol::from_operator::Message> {
    message.message
}
