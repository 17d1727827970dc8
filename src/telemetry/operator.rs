//! The metrics of the operator, by name.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{Label as _, Review};

/// Seconds; from one small policy to a cluster full of them.
const SETTLE_SECONDS: [f64; 9] = [1e-3, 5e-3, 10e-3, 50e-3, 0.1, 0.5, 1.0, 5.0, 30.0];

type ByLabel<M> = Family<[(&'static str, &'static str); 1], M>;

/// Seconds; a policy is to be everywhere within two.
const PROPAGATION_SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];

/// Everything that the operator counts. Cloning shares the counts.
#[derive(Debug, Clone)]
pub struct OperatorMetrics {
    registry: Arc<Registry>,
    objects: ByLabel<Gauge>,
    workloads: ByLabel<Gauge>,
    statuses: ByLabel<Counter>,
    settle: Histogram,
    leader: Gauge,
    certificate: Gauge,
    reviews: ByLabel<Counter>,
    review: Histogram,
    pins: Counter,
    gates: Family<[(&'static str, String); 1], Gauge>,
    propagation: Histogram,
}

impl Default for OperatorMetrics {
    fn default() -> Self {
        Self::new()
    }
}

impl OperatorMetrics {
    /// All metrics, at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("countersign_operator");
        let (objects, workloads, statuses) = (ByLabel::default(), ByLabel::default(), ByLabel::default());
        let settle = Histogram::new(SETTLE_SECONDS);
        registry.register("objects", "Policies and chains by whether they compile", objects.clone());
        registry.register("workloads", "Enrolled workloads by whether their rule set is the newest", workloads.clone());
        registry.register("statuses", "Statuses by whether they could be written", statuses.clone());
        registry.register_with_unit("settle", "To make rule sets of what has changed", Unit::Seconds, settle.clone());
        let leader = Gauge::default();
        registry.register("leader", "Whether this replica leads: it alone writes statuses", leader.clone());
        let certificate = Gauge::default();
        let help = "When the certificate expires that is served with, in seconds since 1970; 0 without one";
        registry.register("certificate_expiry_timestamp", help, certificate.clone());
        let pins = Counter::default();
        registry.register("pins", "Gates that came for the first time, and whose keys were written down", pins.clone());
        let (reviews, review) = (ByLabel::default(), Histogram::new(SETTLE_SECONDS));
        registry.register("reviews", "Objects that the webhook was asked about, by its answer", reviews.clone());
        registry.register_with_unit("review", "To judge one object", Unit::Seconds, review.clone());
        let (gates, propagation) = (Family::default(), Histogram::new(PROPAGATION_SECONDS));
        registry.register("gates", "Gates that are connected here, by the revision in force there", gates.clone());
        let help = "From a change that was seen here to a connected gate that has it in force";
        registry.register_with_unit("propagation", help, Unit::Seconds, propagation.clone());
        let build = ByLabel::<Gauge>::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        registry.register("build_info", "The version of this program", build);
        let registry = Arc::new(registry);
        Self {
            registry,
            objects,
            workloads,
            statuses,
            settle,
            leader,
            certificate,
            reviews,
            review,
            pins,
            gates,
            propagation,
        }
    }

    /// So many gates are connected, by the revision that they have in force, or what is to be said instead of one.
    pub fn gates(&self, counts: impl IntoIterator<Item = (String, usize)>) {
        self.gates.clear();
        for (revision, count) in counts {
            let gauge = self.gates.get_or_create(&[("revision", revision)]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// A gate that was connected when something changed has it in force.
    pub fn propagated(&self, after: Duration) {
        self.propagation.observe(after.as_secs_f64());
    }

    /// Rule sets were made of what has changed.
    pub fn settled(&self, took: Duration) {
        self.settle.observe(took.as_secs_f64());
    }

    /// The key of a gate that came for the first time was written down.
    pub fn pinned(&self) {
        self.pins.inc();
    }

    /// This replica leads, or no longer.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// What is served with holds until then.
    pub fn certificate(&self, until: Timestamp) {
        self.certificate.set(until.as_second());
    }

    /// The webhook was asked, and answered with one of few words.
    pub fn reviewed(&self, said: Review, took: Duration) {
        self.reviews.get_or_create(&[("result", said.label())]).inc();
        self.review.observe(took.as_secs_f64());
    }

    /// So many objects compile, so many do not.
    pub fn objects(&self, accepted: usize, wrong: usize) {
        set(&self.objects, "accepted", accepted);
        set(&self.objects, "wrong", wrong);
    }

    /// So many workloads have the newest rule set, so many keep an older one.
    pub fn workloads(&self, current: usize, withheld: usize) {
        set(&self.workloads, "current", current);
        set(&self.workloads, "withheld", withheld);
    }

    /// A status was written.
    pub fn status_written(&self) {
        self.statuses.get_or_create(&[("result", "written")]).inc();
    }

    /// A status could not be written.
    pub fn status_failed(&self) {
        self.statuses.get_or_create(&[("result", "failed")]).inc();
    }

    /// Everything as OpenMetrics text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail; a text that broke off would lack its `# EOF`, and scrapers refuse that.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

fn set(family: &ByLabel<Gauge>, state: &'static str, count: usize) {
    family.get_or_create(&[("state", state)]).set(i64::try_from(count).unwrap_or(i64::MAX));
}
