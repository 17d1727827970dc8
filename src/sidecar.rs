//! The gate in front of one model: accept -> decode -> judge -> forward | hold | refuse -> record.
//!
//! # Flow
//! [`Gate::serve`] accepts connections; each query walks through `gate::gate`, which names its phases in order.
//!
//! # Guarantees
//! * [`Upstream::forward`] takes a [`Permit`] by value, and a permit comes from a [`crate::rules::Clearance`], or from
//!   [`crate::approvals`]: a release, what releases carry, or a grant.
//! * An entry is written before a query is forwarded, and completed when its answer ends, however it ends.
//! * Broken framing, unknown routes and unreadable bodies never reach the model server; posture `Observe` lets all but
//!   the first through, and says so in the record.
//! * One rule set per query: it is taken once, at the start.
//!
//! # Limits
//! [`Limits`] and [`HoldSettings`]; heads end at 32 KB, bodies at [`crate::base::limits::BODY_BYTES_MAX`].
//!
//! # Errors
//! Every refusal becomes an answer in one place, `refusal`, in the shape of the API that the client speaks.
//!
//! Knows nothing of Kubernetes, SQL, files of policies or the command line.

mod accept;
mod beside;
mod body;
mod callback;
mod cut;
mod deadline;
mod encoding;
mod framing;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod headers;
mod health;
mod hold;
mod identity;
mod interrupt;
mod judging;
mod offered;
mod outgoing;
mod permit;
mod ports;
mod prefer;
mod read;
mod refusal;
mod rulebook;
mod settings;
mod status;
mod trail;
mod upstream;
mod visit;

pub use accept::{Gate, GateFailure, Listeners, Ports};
pub use beside::Beside;
pub use callback::{CallbackParse, CallbackRules};
pub use hold::{EditFailure, HELD_TEXT_BYTES_MAX, HeldQueries, HeldText, JudgedEdit};
pub use identity::{
    Anonymous, ApiKeys, ApiKeysParse, IdentitySettings, Jwks, JwksParse, JwksUrl, JwtSettings, Network, NetworkParse,
    TrustedProxy,
};
pub use interrupt::interrupted;
pub use permit::Permit;
pub use ports::{Alerts, HoldFailure, Holds, Recall, Recalled, RecordFailure, Recorder, Wait};
pub use refusal::{ToldRefusal, refusals};
pub use rulebook::{InForce, Rulebook};
pub use settings::{GateSettings, HoldSettings, Limits, UpstreamSettings};
pub use trail::Trail;
pub use upstream::{Answer, Outbound, Upstream, UpstreamFailure};
