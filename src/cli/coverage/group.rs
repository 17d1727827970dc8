//! Which refusals are alike: by route, by kind and place of what could not be judged, by rule, by code.
//!
//! Pure. Guarantees bounded memory, whatever callers send.

use std::collections::HashMap;

use serde::Serialize;

use crate::audit::{FindingRecord, GapRecord, Outcome, QueryJudged};
use crate::base::QueryId;
use crate::query::GapKind;
use crate::rules::{PolicyRef, Verdict};

/// Most groups kept: a caller who invents places cannot fill the memory, and nobody reads more.
const GROUPS_MAX: usize = 10_000;

/// What refusals have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// No policy says anything about this input.
    Gap { kind: GapKind, place: String },
    /// A rule or coverage entry of a policy.
    Rule { policy: PolicyRef, rule: String, verdict: Verdict },
    /// A refusal before rules were asked.
    Route { code: String, method: String, path: String },
    /// Any other refusal.
    Code(String),
}

/// What became of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Refused,
    Held,
    Would,
}

#[derive(Debug)]
struct Group {
    refused: u64,
    held: u64,
    would: u64,
    example: QueryId,
}

/// Refusals, grouped.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_key: HashMap<Key, Group>,
    queries: u64,
    touched: u64,
    left_out: u64,
}

/// One group as it is shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    /// `gap`, `rule`, `route` or `code`.
    kind: &'static str,
    pub(super) what: String,
    pub(super) count: u64,
    pub(super) refused: u64,
    pub(super) held: u64,
    /// Under posture `Observe`, or by a policy in Audit mode.
    #[serde(rename = "wouldBe")]
    pub(super) would: u64,
    pub(super) example: QueryId,
    /// What to write into a policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) allow: Option<String>,
}

/// Everything that was or would have been refused, most frequent first.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) queries: u64,
    pub(super) touched: u64,
    pub(super) left_out: u64,
    pub(super) groups: Vec<Shown>,
}

impl Groups {
    /// Counts a query. What follows a hold (released, expired, denied by people) was counted when it was held.
    pub(super) fn add(&mut self, judged: &QueryJudged) {
        let muted = judged.code.as_deref() == Some("approval_muted");
        if judged.hold.is_some() && judged.outcome != Outcome::Held && !muted {
            return;
        }
        self.queries += 1;
        let mut keys: Vec<(Key, Fate)> = Vec::new();
        if let Some(fate) = fate(judged.outcome) {
            let gaps = judged.coverage.iter().filter(|gap| unanswered(gap, &judged.findings));
            keys.extend(gaps.map(|gap| (Key::Gap { kind: gap.kind, place: starred(&gap.place) }, fate)));
            let lowest = if fate == Fate::Would { Verdict::Redact } else { Verdict::Hold };
            let effective = judged.findings.iter().filter(|f| !f.audit_only && f.verdict >= lowest);
            keys.extend(effective.map(|finding| (rule(finding), fate)));
            if keys.is_empty() {
                keys.push((code(judged), fate));
            }
        }
        let audited = judged.findings.iter().filter(|f| f.audit_only && f.verdict >= Verdict::Redact);
        keys.extend(audited.map(|finding| (rule(finding), Fate::Would)));
        self.touched += u64::from(!keys.is_empty());
        for at in 0..keys.len() {
            // Once per query, however often it matched.
            let (before, rest) = keys.split_at(at);
            if let Some((key, fate)) = rest.first().filter(|(key, _)| before.iter().all(|(known, _)| known != key)) {
                self.count(key.clone(), *fate, judged.query);
            }
        }
    }

    fn count(&mut self, key: Key, fate: Fate, query: QueryId) {
        if self.by_key.len() >= GROUPS_MAX && !self.by_key.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let group = self.by_key.entry(key).or_insert(Group { refused: 0, held: 0, would: 0, example: query });
        match fate {
            Fate::Refused => group.refused += 1,
            Fate::Held => group.held += 1,
            Fate::Would => group.would += 1,
        }
    }

    pub(super) fn report(&self) -> Report {
        let mut groups: Vec<Shown> = self.by_key.iter().map(|(key, group)| shown(key, group)).collect();
        groups.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.what.cmp(&b.what)));
        Report { queries: self.queries, touched: self.touched, left_out: self.left_out, groups }
    }
}

const fn fate(outcome: Outcome) -> Option<Fate> {
    match outcome {
        Outcome::Denied | Outcome::Rejected | Outcome::Expired | Outcome::Cancelled => Some(Fate::Refused),
        Outcome::Held => Some(Fate::Held),
        Outcome::WouldRefuse => Some(Fate::Would),
        Outcome::Allowed
        | Outcome::Redacted
        | Outcome::AllowedByFailure
        | Outcome::Carried
        | Outcome::Passed
        | Outcome::Released => None,
    }
}

/// Whether no policy in force says anything of the gap; where one does, its entry is among the findings.
fn unanswered(gap: &GapRecord, findings: &[FindingRecord]) -> bool {
    let place = format!("{} ({})", gap.place, gap.kind.name());
    !findings.iter().any(|f| f.matcher == "coverage" && !f.audit_only && f.place == place)
}

fn rule(finding: &FindingRecord) -> Key {
    Key::Rule { policy: finding.policy.clone(), rule: finding.rule.clone(), verdict: finding.verdict }
}

fn code(judged: &QueryJudged) -> Key {
    let code = judged.code.clone().unwrap_or_else(|| "unknown".to_owned());
    let about_the_route = ["route_", "path_", "method_", "parameter_", "protocol_"];
    if about_the_route.iter().any(|start| code.starts_with(start)) {
        return Key::Route { code, method: judged.method.clone(), path: judged.path.clone() };
    }
    Key::Code(code)
}

/// A place with every index replaced: `messages[2].content[0]` is `messages[*].content[*]`.
fn starred(place: &str) -> String {
    let mut out = String::with_capacity(place.len());
    let mut rest = place;
    while let Some(at) = rest.find('[') {
        let (before, tail) = rest.split_at(at + 1);
        out.push_str(before);
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let (index, after) = tail.split_at(digits);
        out.push_str(if digits > 0 && after.starts_with(']') { "*" } else { index });
        rest = after;
    }
    out.push_str(rest);
    out
}

fn shown(key: &Key, group: &Group) -> Shown {
    let (kind, what, allow) = match key {
        Key::Gap { kind, place } => ("gap", format!("{} at {place}", kind.name()), Some(coverage_line(*kind, place))),
        Key::Rule { policy, rule, verdict } => {
            let allow = format!("change rule `{rule}` of policy `{policy}`, or set `mode: Audit` there");
            ("rule", format!("rule {rule} of policy {policy} ({verdict:?})"), Some(allow))
        }
        Key::Route { code, method, path } => {
            let allowed = matches!(code.as_str(), "route_administration" | "route_state");
            let line = || format!("allowRoutes: [{}]", quoted(&format!("{method} {path}")));
            ("route", format!("{method} {path} ({code})"), allowed.then(line))
        }
        Key::Code(code) => ("code", code.clone(), advice(code)),
    };
    let count = group.refused + group.held + group.would;
    let (refused, held, would) = (group.refused, group.held, group.would);
    Shown { kind, what, count, refused, held, would, example: group.example, allow }
}

fn coverage_line(kind: GapKind, place: &str) -> String {
    let (name, kind) = (kind.name().to_ascii_lowercase(), kind.name());
    let places = quoted(place);
    format!("coverage: [{{name: allow-{name}, kinds: [{kind}], places: [{places}], action: {{type: Allow}}}}]")
}

/// A YAML string; JSON strings are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn advice(code: &str) -> Option<String> {
    (code == "no_policy").then(|| "apply a policy whose selector matches this workload".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    fn judged(outcome: Outcome, rest: &serde_json::Value) -> QueryJudged {
        let mut entry = serde_json::json!({
            "query": QueryId::of(jiff::Timestamp::UNIX_EPOCH, [0; 10]),
            "caller": {"authenticatedBy": "anonymous", "address": "127.0.0.1"},
            "method": "POST", "path": "/v1/chat/completions", "outcome": outcome,
            "revision": Digest::of(b""), "bodyBytes": 0, "judgedMicros": 0, "retention": "Digest",
        });
        entry.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        serde_json::from_value(entry).unwrap()
    }

    #[track_caller]
    fn check(entries: &[QueryJudged], expected: &[(&str, u64, u64, u64, Option<&str>)]) {
        let mut groups = Groups::default();
        for entry in entries {
            groups.add(entry);
        }
        let report = groups.report();
        let got: Vec<_> =
            report.groups.iter().map(|g| (&*g.what, g.refused, g.held, g.would, g.allow.as_deref())).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn gaps_are_grouped_by_kind_and_place_without_indexes_and_say_what_allows_them() {
        let gaps = |indexes: [u32; 2]| {
            let gaps = indexes.map(|i| serde_json::json!({"kind": "Image", "place": format!("messages[{i}].content")}));
            serde_json::json!({"code": "not_covered", "coverage": gaps})
        };
        let line = r#"coverage: [{name: allow-image, kinds: [Image], places: ["messages[*].content"], action: {type: Allow}}]"#;
        check(
            &[judged(Outcome::Denied, &gaps([0, 1])), judged(Outcome::WouldRefuse, &gaps([2, 7]))],
            &[("Image at messages[*].content", 1, 0, 1, Some(line))],
        );
    }

    #[test]
    fn a_gap_that_a_policy_speaks_of_is_its_rules() {
        let finding = serde_json::json!({
            "policy": {"name": "p"}, "rule": "no-images", "verdict": "Deny", "matcher": "coverage", "place": "x (Image)"});
        let rest = serde_json::json!({"coverage": [{"kind": "Image", "place": "x"}], "findings": [finding]});
        let advice = "change rule `no-images` of policy `p`, or set `mode: Audit` there";
        check(&[judged(Outcome::Denied, &rest)], &[("rule no-images of policy p (Deny)", 1, 0, 0, Some(advice))]);
    }

    #[test]
    fn routes_name_the_line_only_where_a_policy_can_allow_them() {
        let route = |code: &str| serde_json::json!({"code": code, "path": "/v1/load_lora_adapter"});
        check(
            &[
                judged(Outcome::Rejected, &route("route_administration")),
                judged(Outcome::Rejected, &route("route_unknown")),
                judged(Outcome::Denied, &serde_json::json!({"code": "no_policy"})),
            ],
            &[
                (
                    "POST /v1/load_lora_adapter (route_administration)",
                    1,
                    0,
                    0,
                    Some(r#"allowRoutes: ["POST /v1/load_lora_adapter"]"#),
                ),
                ("POST /v1/load_lora_adapter (route_unknown)", 1, 0, 0, None),
                ("no_policy", 1, 0, 0, Some("apply a policy whose selector matches this workload")),
            ],
        );
    }

    #[test]
    fn a_hold_counts_once_and_audit_mode_counts_as_would_be() {
        let hold = crate::base::HoldId::of(jiff::Timestamp::UNIX_EPOCH, [0; 10]);
        let finding = |verdict: &str, audit_only: bool| {
            serde_json::json!({"policy": {"name": "p"}, "rule": "r", "verdict": verdict, "auditOnly": audit_only,
                "matcher": "keyword", "place": "x"})
        };
        let held = serde_json::json!({"hold": hold, "findings": [finding("Hold", false)]});
        let advice = Some("change rule `r` of policy `p`, or set `mode: Audit` there");
        check(
            &[
                judged(Outcome::Held, &held.clone()),
                judged(Outcome::Released, &held.clone()),
                judged(Outcome::Denied, &held),
                judged(Outcome::Allowed, &serde_json::json!({"findings": [finding("Deny", true)]})),
                judged(Outcome::Allowed, &serde_json::json!({"findings": [finding("Alert", false)]})),
            ],
            &[("rule r of policy p (Deny)", 0, 0, 1, advice), ("rule r of policy p (Hold)", 0, 1, 0, advice)],
        );
    }

    #[test]
    fn places_lose_their_indexes_and_keep_their_keys() {
        for (place, expected) in [
            ("messages[12].content[0].text", "messages[*].content[*].text"),
            (r#"tools[0].x["a[1]b"]"#, r#"tools[*].x["a[*]b"]"#),
            ("a[b]", "a[b]"),
            ("a[1", "a[1"),
            ("plain", "plain"),
        ] {
            assert_eq!(starred(place), expected);
        }
    }
}
