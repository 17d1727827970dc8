//! Metrics and logs: names and label values as closed enums.
//!
//! # Flow
//! Whoever runs the gate makes one [`Metrics`] and hands it down; the health port shows [`Metrics::encode`].
//! [`logs::init`] is called once by a program.
//!
//! # Guarantees
//! * No text of a query, no name of a person and no model name is ever a label: every label value but the revision of the
//!   rule set comes from a [`Label`], so the number of series is bounded by this source.
//! * Counting on the hot path takes no lock that another query may hold for long, and allocates nothing after the first
//!   time.
//!
//! Knows nothing of HTTP; of the other rooms it knows the enums that it counts.

pub mod labels;
pub mod logs;
mod metrics;
#[cfg(feature = "operator")]
mod operator;

pub use labels::{Label, Reload, Review, RouteClass, Webhook};
pub use metrics::Metrics;
#[cfg(feature = "operator")]
pub use operator::OperatorMetrics;
