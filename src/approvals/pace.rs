//! How fast new holds may be opened: by one caller, by one rule, in one namespace.
//!
//! Must not know stores or clocks; whoever opens holds asks here first, before anything is written. Guarantees: anonymous
//! callers are one caller; a hold that is turned away is charged to nobody; memory is bounded.

use std::collections::HashMap;
use std::time::Duration;

use super::Ask;

/// Most callers, rules and namespaces remembered at once; each costs about a hundred bytes.
const KEYS_MAX: usize = 20_000;
/// The time over which new holds are counted.
const WINDOW: Duration = Duration::from_mins(1);

/// Most new holds a minute. People decide about a few a minute; what is over that only buries what matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaceLimits {
    /// Of one caller: a person or a program that waits for answers opens one at a time.
    pub per_caller: u32,
    /// By one rule: a rule that suddenly holds everything was written wrongly.
    pub per_rule: u32,
    /// In one namespace.
    pub per_namespace: u32,
}

impl Default for PaceLimits {
    fn default() -> Self {
        Self { per_caller: 30, per_rule: 120, per_namespace: 300 }
    }
}

/// Counts new holds. A caller that was quiet may open a minute's worth at once.
#[derive(Debug, Default)]
pub struct Pace {
    limits: PaceLimits,
    /// When each would be quiet again, since the clock's start (the generic cell rate algorithm).
    busy_until: HashMap<Key, Duration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Caller(Option<String>),
    Rule(String),
    Namespace(String),
}

impl Pace {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(limits: PaceLimits) -> Self {
        Self { limits, busy_until: HashMap::new() }
    }

    /// Whether this hold may be opened now (`now` since any fixed start); it is counted if so.
    pub fn admits(&mut self, ask: &Ask, now: Duration) -> bool {
        let keys = self.keys(ask);
        if self.busy_until.len() + keys.len() > KEYS_MAX {
            self.busy_until.retain(|_, until| *until > now);
        }
        if self.busy_until.len() + keys.len() > KEYS_MAX {
            return false;
        }
        let mut charged = Vec::with_capacity(keys.len());
        for (key, per_minute) in keys {
            let busy_until = self.busy_until.get(&key).copied().unwrap_or(now).max(now);
            let after = busy_until + WINDOW / per_minute.max(1);
            if per_minute == 0 || after > now + WINDOW {
                return false;
            }
            charged.push((key, after));
        }
        self.busy_until.extend(charged);
        true
    }

    fn keys(&self, ask: &Ask) -> Vec<(Key, u32)> {
        let mut rules: Vec<_> = ask.reasons.iter().map(|reason| format!("{}/{}", reason.policy, reason.rule)).collect();
        rules.sort_unstable();
        rules.dedup();
        let rules = rules.into_iter().map(|rule| (Key::Rule(rule), self.limits.per_rule));
        let caller = (Key::Caller(ask.requester.user.clone()), self.limits.per_caller);
        let namespace = (Key::Namespace(ask.namespace.clone()), self.limits.per_namespace);
        [caller, namespace].into_iter().chain(rules).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Requester;
    use super::super::tests::{ask, legal};
    use super::*;

    fn by(user: Option<&str>, rule: &str, namespace: &str) -> Ask {
        let mut ask = ask(vec![legal()]);
        ask.requester = Requester { user: user.map(str::to_owned), groups: vec![] };
        rule.clone_into(&mut ask.reasons[0].rule);
        namespace.clone_into(&mut ask.namespace);
        ask
    }

    /// How many of a hundred are admitted at once.
    fn burst(pace: &mut Pace, now: u64, ask: impl Fn(usize) -> Ask) -> usize {
        (0..100).filter(|n| pace.admits(&ask(*n), Duration::from_secs(now))).count()
    }

    #[test]
    fn each_caller_rule_and_namespace_has_its_own_pace() {
        let limits = PaceLimits { per_caller: 3, per_rule: 5, per_namespace: 7 };
        let user = |n: usize| Some(format!("user {n}"));
        let mut pace = Pace::new(limits);
        assert_eq!(burst(&mut pace, 0, |_| by(Some("rita"), "a", "x")), 3);
        assert_eq!(burst(&mut pace, 0, |_| by(Some("otto"), "b", "y")), 3, "one caller's pace is not another's");
        let mut pace = Pace::new(limits);
        assert_eq!(burst(&mut pace, 0, |_| by(None, "a", "x")), 3, "anonymous callers are one");
        let mut pace = Pace::new(limits);
        assert_eq!(burst(&mut pace, 0, |n| by(user(n).as_deref(), "a", &n.to_string())), 5);
        let mut pace = Pace::new(limits);
        assert_eq!(burst(&mut pace, 0, |n| by(user(n).as_deref(), &n.to_string(), "x")), 7);
    }

    #[test]
    fn time_gives_back_what_was_used_and_refusals_cost_nothing() {
        let mut pace = Pace::new(PaceLimits { per_caller: 3, ..PaceLimits::default() });
        assert_eq!(burst(&mut pace, 100, |_| by(Some("rita"), "a", "x")), 3);
        assert_eq!(burst(&mut pace, 119, |_| by(Some("rita"), "a", "x")), 0);
        assert_eq!(
            burst(&mut pace, 120, |_| by(Some("rita"), "a", "x")),
            1,
            "a third of a minute, a third of the pace"
        );
        assert_eq!(burst(&mut pace, 300, |_| by(Some("rita"), "a", "x")), 3);
    }

    #[test]
    fn memory_is_bounded_and_a_full_one_admits_nobody_new() {
        let mut pace = Pace::default();
        let ask = |n: usize| by(Some(&n.to_string()), "a", &n.to_string());
        pace.limits.per_rule = u32::MAX;
        let admitted = (0..KEYS_MAX).filter(|n| pace.admits(&ask(*n), Duration::ZERO)).count();
        assert!(admitted >= KEYS_MAX / 2 - 2 && pace.busy_until.len() <= KEYS_MAX, "{admitted}");
        assert!(pace.admits(&ask(0), WINDOW * 2), "those that are quiet make room");
    }
}
