//! The metrics of a gate, by name. Text in the OpenMetrics format.
//!
//! Must not know who counts. Guarantees that labels are [`Label`]s: what a caller wrote cannot become a series.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{Label, Reload, RouteClass, Webhook};
use crate::approvals::Phase;
use crate::audit::Outcome;
use crate::base::Digest;
use crate::query::{GapKind, Operation};
use crate::rules::Verdict;
use crate::wire::Format;

/// Seconds; from a tenth of what a clean query costs to a hundred times what is bearable.
const JUDGE_SECONDS: [f64; 13] =
    [10e-6, 25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3];
/// Seconds; model servers answer their first byte between a millisecond (cached) and a minute (queued).
const FIRST_BYTE_SECONDS: [f64; 12] = [1e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0];
/// Digits of a revision that a person compares.
const REVISION_DIGITS: usize = 12;

type Pair = (&'static str, &'static str);

/// Counters told apart by one closed label. A look-up is a shared lock and a hash of two short texts.
type ByLabel = Family<[Pair; 1], Counter>;

/// Everything that a gate counts. Cloning shares the counts.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: std::sync::Arc<Registry>,
    requests: ByLabel,
    queries: Family<[Pair; 2], Counter>,
    operations: ByLabel,
    findings: ByLabel,
    gaps: ByLabel,
    denials: ByLabel,
    holds: ByLabel,
    reloads: ByLabel,
    webhooks: ByLabel,
    callbacks: ByLabel,
    holds_pending: Gauge,
    bytes_in_flight: Gauge,
    judge: Histogram,
    added: Histogram,
    first_byte: Histogram,
    audit_entries: Counter,
    audit_failures: Counter,
    rule_set: Family<[(&'static str, String); 1], Gauge>,
    policies: Gauge,
    stale: Gauge,
    /// Without a series where there is no operator to follow.
    following: Family<[Pair; 1], Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All metrics, at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: std::sync::Arc::default(),
            requests: Family::default(),
            queries: Family::default(),
            operations: Family::default(),
            findings: Family::default(),
            gaps: Family::default(),
            denials: Family::default(),
            holds: Family::default(),
            reloads: Family::default(),
            webhooks: Family::default(),
            callbacks: Family::default(),
            holds_pending: Gauge::default(),
            bytes_in_flight: Gauge::default(),
            judge: Histogram::new(JUDGE_SECONDS),
            added: Histogram::new(JUDGE_SECONDS),
            first_byte: Histogram::new(FIRST_BYTE_SECONDS),
            audit_entries: Counter::default(),
            audit_failures: Counter::default(),
            rule_set: Family::default(),
            policies: Gauge::default(),
            stale: Gauge::default(),
            following: Family::default(),
        };
        metrics.registry = std::sync::Arc::new(metrics.registered());
        metrics
    }

    fn registered(&self) -> Registry {
        let mut root = Registry::with_prefix("countersign");
        let r = &mut root;
        r.register("requests", "Requests by what their route means", self.requests.clone());
        r.register("queries", "Queries by what happened to them and by wire format", self.queries.clone());
        r.register("operations", "Queries by what was asked of the model", self.operations.clone());
        r.register("findings", "Matches of rules by what the rule wants", self.findings.clone());
        r.register("gaps", "Input that cannot be judged, by kind", self.gaps.clone());
        r.register("denials", "Refused requests by the code that the client got", self.denials.clone());
        r.register("holds", "Held queries by how their hold went on", self.holds.clone());
        r.register("holds_pending", "Queries waiting for people now", self.holds_pending.clone());
        r.register("bytes_in_flight", "Bytes of bodies held in memory now", self.bytes_in_flight.clone());
        r.register_with_unit("judge", "From the end of a body to its verdict", Unit::Seconds, self.judge.clone());
        r.register_with_unit("added", "What the gate adds before forwarding", Unit::Seconds, self.added.clone());
        let help = "From forwarding to the first byte of the answer";
        r.register_with_unit("upstream_first_byte", help, Unit::Seconds, self.first_byte.clone());
        r.register("audit_entries", "Entries written to the audit log", self.audit_entries.clone());
        r.register("audit_failures", "Entries that could not be written", self.audit_failures.clone());
        r.register("rule_set_info", "The revision of the rule set in force", self.rule_set.clone());
        r.register("policies", "Policies in the rule set in force", self.policies.clone());
        r.register("rule_set_stale", "1 while the rule set in force is past its maximum age", self.stale.clone());
        r.register("operator", "1 while the gate follows its operator", self.following.clone());
        r.register("rule_set_reloads", "Attempts to load another rule set", self.reloads.clone());
        r.register("alert_messages", "Webhook messages of alerts by what became of them", self.webhooks.clone());
        r.register("callbacks", "Clients of held queries called back, by what became of it", self.callbacks.clone());
        let build = Family::<[Pair; 1], Gauge>::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        r.register("build_info", "The version of this program", build);
        root
    }

    /// A request's route is known.
    pub fn routed(&self, class: RouteClass) {
        count(&self.requests, "class", class);
    }

    /// A query has an outcome; `None` where no format is read (routes that pass, routes that are refused).
    pub fn query(&self, outcome: Outcome, format: Option<Format>) {
        self.queries.get_or_create(&[("outcome", outcome.label()), ("format", format.label())]).inc();
    }

    /// A query was decoded.
    pub fn operation(&self, operation: Operation) {
        count(&self.operations, "operation", operation);
    }

    /// A rule matched.
    pub fn finding(&self, verdict: Verdict) {
        count(&self.findings, "verdict", verdict);
    }

    /// Something in a body cannot be judged.
    pub fn gap(&self, kind: GapKind) {
        count(&self.gaps, "kind", kind);
    }

    /// A request was refused with this code.
    pub fn denied(&self, code: impl Label) {
        count(&self.denials, "code", code);
    }

    /// A hold was opened: it counts as pending until [`Metrics::hold_settled`].
    pub fn hold_opened(&self) {
        count(&self.holds, "phase", Phase::Pending);
        self.holds_pending.inc();
    }

    /// A hold that was opened has ended, or its client was sent away while it is pending.
    pub fn hold_settled(&self, phase: Phase) {
        if phase != Phase::Pending {
            count(&self.holds, "phase", phase);
        }
        self.holds_pending.dec();
    }

    /// Bytes of a body were taken into memory.
    pub fn bytes_taken(&self, bytes: usize) {
        self.bytes_in_flight.inc_by(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Bytes of a body were let go.
    pub fn bytes_freed(&self, bytes: usize) {
        self.bytes_in_flight.dec_by(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// From the end of a body to its verdict.
    pub fn judged_in(&self, took: Duration) {
        self.judge.observe(took.as_secs_f64());
    }

    /// From the end of a body to forwarding it, holds left out.
    pub fn added(&self, took: Duration) {
        self.added.observe(took.as_secs_f64());
    }

    /// From forwarding to the first byte of the answer.
    pub fn first_byte_in(&self, took: Duration) {
        self.first_byte.observe(took.as_secs_f64());
    }

    /// An entry was written.
    pub fn audit_written(&self) {
        self.audit_entries.inc();
    }

    /// An entry could not be written.
    pub fn audit_failed(&self) {
        self.audit_failures.inc();
    }

    /// Another rule set is in force.
    pub fn rule_set_loaded(&self, revision: Digest, policies: usize) {
        let short: String = hex::encode(revision.as_bytes()).chars().take(REVISION_DIGITS).collect();
        // One series at a time: the revision is the only label value that is not from a closed set.
        self.rule_set.clear();
        self.rule_set.get_or_create(&[("revision", short)]).set(1);
        self.policies.set(i64::try_from(policies).unwrap_or(i64::MAX));
        count(&self.reloads, "result", Reload::Loaded);
    }

    /// Another rule set could not be loaded.
    pub fn rule_set_failed(&self) {
        count(&self.reloads, "result", Reload::Failed);
    }

    /// Whether the rule set in force is stale now.
    pub fn rule_set_stale(&self, stale: bool) {
        self.stale.set(i64::from(stale));
    }

    /// Whether the gate follows its operator now.
    pub fn operator_connected(&self, connected: bool) {
        self.following.get_or_create(&[("state", "connected")]).set(i64::from(connected));
    }

    /// What became of a webhook message.
    pub fn webhook(&self, result: Webhook) {
        count(&self.webhooks, "result", result);
    }

    /// What became of calling a client back.
    pub fn callback(&self, result: Webhook) {
        count(&self.callbacks, "result", result);
    }

    /// Everything as OpenMetrics text (`application/openmetrics-text; version=1.0.0; charset=utf-8`).
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail; a text that broke off would lack its `# EOF`, and scrapers refuse that.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

fn count(family: &ByLabel, name: &'static str, value: impl Label) {
    family.get_or_create(&[(name, value.label())]).inc();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fill: impl FnOnce(&Metrics), lines: &[&str]) {
        let metrics = Metrics::new();
        fill(&metrics);
        let text = metrics.encode();
        for line in lines {
            assert!(text.lines().any(|l| l == *line), "no line `{line}` in\n{text}");
        }
    }

    #[test]
    fn counts_appear_under_their_names_and_labels() {
        check(
            |m| {
                m.query(Outcome::Denied, Some(Format::OpenaiChat));
                m.query(Outcome::Passed, None);
                m.denied(crate::rules::DenialCode::NotCovered);
                m.finding(Verdict::Redact);
                m.gap(GapKind::Image);
                m.audit_written();
                m.webhook(Webhook::Dropped);
            },
            &[
                r#"countersign_queries_total{outcome="denied",format="openai-chat"} 1"#,
                r#"countersign_queries_total{outcome="passed",format="none"} 1"#,
                r#"countersign_denials_total{code="not_covered"} 1"#,
                r#"countersign_findings_total{verdict="redact"} 1"#,
                r#"countersign_gaps_total{kind="Image"} 1"#,
                "countersign_audit_entries_total 1",
                "countersign_audit_failures_total 0",
                r#"countersign_alert_messages_total{result="dropped"} 1"#,
                "# EOF",
            ],
        );
    }

    #[test]
    fn gauges_go_up_and_down() {
        check(
            |m| {
                m.hold_opened();
                m.hold_opened();
                m.hold_settled(Phase::Approved);
                m.bytes_taken(100);
                m.bytes_freed(40);
            },
            &[
                "countersign_holds_pending 1",
                r#"countersign_holds_total{phase="pending"} 2"#,
                r#"countersign_holds_total{phase="approved"} 1"#,
                "countersign_bytes_in_flight 60",
            ],
        );
    }

    #[test]
    fn times_are_in_seconds_and_reach_from_microseconds() {
        check(
            |m| m.judged_in(Duration::from_micros(30)),
            &[
                r#"countersign_judge_seconds_bucket{le="0.000025"} 0"#,
                r#"countersign_judge_seconds_bucket{le="0.00005"} 1"#,
                "countersign_judge_seconds_count 1",
            ],
        );
    }

    #[test]
    fn only_the_revision_in_force_has_a_series() {
        let metrics = Metrics::new();
        metrics.rule_set_loaded(Digest::of(b"old"), 1);
        metrics.rule_set_loaded(Digest::of(b"new"), 2);
        let text = metrics.encode();
        let series: Vec<_> = text.lines().filter(|l| l.starts_with("countersign_rule_set_info{")).collect();
        let new = &hex::encode(Digest::of(b"new").as_bytes())[..REVISION_DIGITS];
        assert_eq!(series, [format!("countersign_rule_set_info{{revision=\"{new}\"}} 1")]);
        assert!(text.contains("countersign_policies 2"));
    }
}
