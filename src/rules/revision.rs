//! The name of a rule set: SHA-256 over what its policies say, independent of the order they came in.
//!
//! Guarantees: two sets that could judge any query differently have different revisions. Every variant writes its name
//! and every list its length, so that no two contents write the same bytes.

use super::{
    Action, CoverageRule, Disposition, Exception, Failure, Matcher, Mode, Policy, PolicyRef, RateUnit, Retention, Rule,
    TextMatch,
};
use crate::base::{Digest, Hasher};
use crate::query::Role;

/// What the serialisation below is; to be raised when judging changes for the same policies.
const EDITION: &str = "countersign rule set 1";

/// The revision of policies and exceptions in canonical order.
pub(super) fn revision(policies: &[&Policy], exceptions: &[&Exception]) -> Digest {
    let mut out = Writer(Hasher::default());
    out.text(EDITION);
    out.list(policies, |out, policy| out.policy(policy));
    // Behind the last policy nothing else can stand, so that sets without exceptions keep their names.
    if !exceptions.is_empty() {
        out.text("exceptions");
        out.list(exceptions, |out, exception| out.exception(exception));
    }
    out.0.finish()
}

/// A key for the counters of one rate of a rule, the same as long as rule and rate stay.
pub(super) fn rate_key(policy: &PolicyRef, rule: &str, rate: &super::Rate, nth: usize) -> Digest {
    let mut out = Writer(Hasher::default());
    out.text("rate");
    out.name(policy);
    out.text(rule);
    out.rate(rate);
    out.number(nth as u64);
    out.0.finish()
}

/// A key for what is remembered of one rule, the same as long as everything the policy says of it stays.
pub(super) fn rule_key(policy: &PolicyRef, rule: &Rule) -> Digest {
    let mut out = Writer(Hasher::default());
    out.text("rule");
    out.name(policy);
    out.rule(rule);
    out.0.finish()
}

struct Writer(Hasher);

impl Writer {
    fn text(&mut self, text: &str) {
        self.0.field(text.as_bytes());
    }

    fn number(&mut self, number: u64) {
        self.0.field(&number.to_be_bytes());
    }

    fn list<T>(&mut self, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }

    fn texts(&mut self, items: &[String]) {
        self.list(items, |out, item| out.text(item));
    }

    fn option<T>(&mut self, value: Option<T>, each: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.text("none"),
            Some(value) => {
                self.text("some");
                each(self, value);
            }
        }
    }

    fn name(&mut self, name: &PolicyRef) {
        self.option(name.namespace.as_deref(), Self::text);
        self.text(&name.name);
    }

    fn policy(&mut self, policy: &Policy) {
        self.name(&policy.name);
        self.text(match policy.mode {
            Mode::Enforce => "enforce",
            Mode::Audit => "audit",
        });
        self.failure(policy.fallbacks.on_error);
        self.failure(policy.fallbacks.on_audit_unavailable);
        self.option(policy.retention, |out, retention| {
            out.text(match retention {
                Retention::None => "none",
                Retention::Digest => "digest",
                Retention::Masked => "masked",
                Retention::Full => "full",
            });
        });
        self.duration(policy.carry);
        self.texts(&policy.routes);
        self.list(&policy.coverage, Self::coverage);
        self.list(&policy.rules, Self::rule);
    }

    fn exception(&mut self, exception: &Exception) {
        self.text(&exception.name);
        self.name(&exception.policy);
        self.texts(&exception.rules);
        self.0.field(&exception.until.as_nanosecond().to_be_bytes());
        self.text(&exception.reason);
        self.text(&exception.approver);
    }

    fn failure(&mut self, failure: Failure) {
        self.text(match failure {
            Failure::Deny => "deny",
            Failure::Allow => "allow",
        });
    }

    fn duration(&mut self, duration: std::time::Duration) {
        self.number(duration.as_secs());
        self.number(u64::from(duration.subsec_nanos()));
    }

    fn coverage(&mut self, rule: &CoverageRule) {
        self.text(&rule.name);
        self.list(&rule.kinds, |out, kind| out.text(kind.name()));
        self.texts(&rule.places);
        match &rule.action {
            Disposition::Allow => self.text("allow"),
            Disposition::Hold(chain) => {
                self.text("hold");
                self.name(chain);
            }
            Disposition::Deny => self.text("deny"),
        }
    }

    fn rule(&mut self, rule: &Rule) {
        self.text(&rule.name);
        self.text(match rule.subject {
            super::Subject::Query => "query",
        });
        let roles: Vec<_> = Role::ALL.into_iter().filter(|role| rule.roles.holds(*role)).collect();
        self.list(&roles, |out, role| out.text(role.name()));
        self.matcher(&rule.matcher);
        self.action(&rule.action);
        self.failure(rule.on_error);
    }

    fn action(&mut self, action: &Action) {
        match action {
            Action::Allow => self.text("allow"),
            Action::Alert { route } => {
                self.text("alert");
                self.option(route.as_deref(), Self::text);
            }
            Action::Redact => self.text("redact"),
            Action::Hold { chain } => {
                self.text("hold");
                self.name(chain);
            }
            Action::Deny { message } => {
                self.text("deny");
                self.option(message.as_deref(), Self::text);
            }
        }
    }

    fn matcher(&mut self, matcher: &Matcher) {
        let mut branch = |name: &str, children: &[Matcher]| {
            self.text(name);
            self.list(children, Self::matcher);
        };
        match matcher {
            Matcher::Any(children) => branch("any", children),
            Matcher::All(children) => branch("all", children),
            Matcher::None(children) => branch("none", children),
            Matcher::Text(text) => self.text_match(text),
            Matcher::Cel(source) => self.pair("cel", &source.0),
            Matcher::TextBytesOver(bytes) => self.count("text-bytes-over", *bytes),
            Matcher::TokensOver(tokens) => self.count("tokens-over", *tokens),
            Matcher::RateOver(rate) => self.rate(rate),
            Matcher::Operations(operations) => {
                self.text("operations");
                self.list(operations, |out, operation| out.text(operation.name()));
            }
            Matcher::Routes(routes) => {
                self.text("routes");
                self.texts(routes);
            }
            Matcher::Models(models) => {
                self.text("models");
                self.texts(models);
            }
        }
    }

    fn pair(&mut self, name: &str, text: &str) {
        self.text(name);
        self.text(text);
    }

    fn count(&mut self, name: &str, number: u64) {
        self.text(name);
        self.number(number);
    }

    fn rate(&mut self, rate: &super::Rate) {
        self.text("rate-over");
        self.text(match rate.unit {
            RateUnit::Queries => "queries",
            RateUnit::Tokens => "tokens",
        });
        self.number(rate.count_max);
        self.duration(rate.window);
    }

    fn text_match(&mut self, text: &TextMatch) {
        match text {
            TextMatch::Keywords { any, whole_words } => {
                self.text(if *whole_words { "words" } else { "substrings" });
                self.texts(any);
            }
            TextMatch::Regex(source) => self.pair("regex", source),
            TextMatch::Detector(detector) => {
                // The pattern too: a detector that changes with a release changes what is found.
                self.pair("detector", detector.name);
                self.text(detector.pattern);
            }
        }
    }
}
