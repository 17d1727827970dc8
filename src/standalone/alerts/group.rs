//! Which alerts become one message, and when it may go: grouping and a token bucket, driven by a clock that is passed in.
//!
//! Pure. Must not know how messages travel. Guarantees that the first alert of a group waits for nothing but the rate,
//! that later ones are counted and never lost while there is room, and that at most [`GROUPS_MAX`] groups are kept.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use super::settings::GroupBy;
use crate::base::QueryId;
use crate::rules::Verdict;

/// Most groups of a route at a time: with every caller a group of their own, a busy cluster. About 500 bytes each.
pub(super) const GROUPS_MAX: usize = 1_000;

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alert {
    pub(super) query: QueryId,
    pub(super) caller: String,
    pub(super) policy: String,
    pub(super) rule: String,
    pub(super) matcher: String,
    pub(super) place: String,
    pub(super) verdict: Verdict,
    pub(super) audit_only: bool,
    pub(super) at: Timestamp,
}

/// Alerts that go out together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Batch {
    /// The latest of them.
    pub(super) latest: Alert,
    pub(super) count: u64,
    pub(super) first: Timestamp,
    /// Alerts of the route that were dropped since its last message.
    pub(super) suppressed: u64,
    /// Which batch of the route this is, since the start.
    pub(super) number: u64,
}

struct Group {
    latest: Alert,
    count: u64,
    first: Timestamp,
    /// When what was counted may go, or, with nothing counted, when the group is forgotten.
    due: Duration,
}

/// A token bucket: a minute's worth may go at once.
struct Bucket {
    per_minute: u32,
    tokens: f64,
    filled_at: Duration,
}

impl Bucket {
    fn fill(&mut self, now: Duration) {
        let rate = f64::from(self.per_minute) / 60.0;
        let grown = now.saturating_sub(self.filled_at).as_secs_f64() * rate;
        self.tokens = (self.tokens + grown).min(f64::from(self.per_minute));
        self.filled_at = now;
    }

    fn take(&mut self, now: Duration) -> bool {
        self.fill(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// When the next token is there, a little late rather than a little early.
    fn ready_at(&self) -> Duration {
        let missing = (1.0 - self.tokens).max(0.0) * 60.0 / f64::from(self.per_minute);
        self.filled_at + Duration::from_secs_f64(missing) + Duration::from_millis(1)
    }
}

/// The groups of one route.
pub(super) struct Groups {
    by: Vec<GroupBy>,
    spacing: Duration,
    bucket: Bucket,
    open: HashMap<Vec<String>, Group>,
    suppressed: u64,
    batches: u64,
}

/// Whether an alert was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Added {
    /// It will be part of a message.
    Taken,
    /// There are too many groups; it is only counted.
    Suppressed,
}

impl Groups {
    pub(super) fn new(by: Vec<GroupBy>, spacing: Duration, per_minute: u32, now: Duration) -> Self {
        let bucket = Bucket { per_minute, tokens: f64::from(per_minute), filled_at: now };
        Self { by, spacing, bucket, open: HashMap::new(), suppressed: 0, batches: 0 }
    }

    /// Takes an alert at the monotonic time `now`.
    pub(super) fn add(&mut self, alert: Alert, now: Duration) -> Added {
        let key: Vec<String> = self.by.iter().map(|by| field(&alert, *by).to_owned()).collect();
        if let Some(group) = self.open.get_mut(&key) {
            if group.count == 0 {
                group.first = alert.at;
            }
            group.count += 1;
            group.latest = alert;
            return Added::Taken;
        }
        if self.open.len() >= GROUPS_MAX {
            self.suppressed += 1;
            return Added::Suppressed;
        }
        let group = Group { first: alert.at, latest: alert, count: 1, due: now };
        self.open.insert(key, group);
        Added::Taken
    }

    /// Counts an alert that never got here.
    pub(super) fn missed(&mut self, count: u64) {
        self.suppressed += count;
    }

    /// The next batch that may go now: the one that waits longest. Forgets groups that have been quiet.
    pub(super) fn take(&mut self, now: Duration) -> Option<Batch> {
        self.open.retain(|_, group| group.count > 0 || group.due > now);
        let waiting = self.open.values_mut().filter(|group| group.count > 0 && group.due <= now);
        let group = waiting.min_by_key(|group| (group.due, group.first))?;
        if !self.bucket.take(now) {
            return None;
        }
        group.due = now + self.spacing;
        let count = std::mem::take(&mut group.count);
        let suppressed = std::mem::take(&mut self.suppressed);
        self.batches += 1;
        Some(Batch { latest: group.latest.clone(), count, first: group.first, suppressed, number: self.batches })
    }

    /// Everything that is counted, whatever its time, as far as the rate allows: for the end.
    pub(super) fn take_any(&mut self, now: Duration) -> Option<Batch> {
        for group in self.open.values_mut() {
            group.due = group.due.min(now);
        }
        self.take(now)
    }

    /// When to look again; `None` when nothing is counted.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let due = self.open.values().filter(|group| group.count > 0).map(|group| group.due).min()?;
        Some(if self.bucket.tokens < 1.0 { due.max(self.bucket.ready_at()) } else { due })
    }
}

fn field(alert: &Alert, by: GroupBy) -> &str {
    match by {
        GroupBy::Policy => &alert.policy,
        GroupBy::Rule => &alert.rule,
        GroupBy::Caller => &alert.caller,
        GroupBy::Matcher => &alert.matcher,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Clock as _, ManualClock};

    struct Scene {
        clock: ManualClock,
        groups: Groups,
    }

    impl Scene {
        fn new(per_minute: u32) -> Self {
            let clock = ManualClock::at("2026-11-23T06:00:00Z".parse().unwrap());
            let by = vec![GroupBy::Rule, GroupBy::Caller];
            let groups = Groups::new(by, Duration::from_secs(30), per_minute, clock.monotonic());
            Self { clock, groups }
        }

        fn add(&mut self, caller: &str) -> Added {
            let at = self.clock.now();
            let alert = Alert {
                query: QueryId::of(at, [0; 10]),
                caller: caller.to_owned(),
                policy: "p".to_owned(),
                rule: "r".to_owned(),
                matcher: "keyword".to_owned(),
                place: "prompt".to_owned(),
                verdict: Verdict::Alert,
                audit_only: false,
                at,
            };
            self.groups.add(alert, self.clock.monotonic())
        }

        fn wait(&mut self, seconds: u64) -> &mut Self {
            self.clock.advance(Duration::from_secs(seconds));
            self
        }

        fn counts(&mut self) -> Vec<(String, u64)> {
            let now = self.clock.monotonic();
            std::iter::from_fn(|| self.groups.take(now)).map(|b| (b.latest.caller, b.count)).collect()
        }
    }

    #[test]
    fn the_first_of_a_group_goes_at_once_and_the_rest_together() {
        let mut scene = Scene::new(60);
        scene.add("alice");
        scene.add("bob");
        let mut first = scene.counts();
        first.sort();
        assert_eq!(first, [("alice".to_owned(), 1), ("bob".to_owned(), 1)]);
        for _ in 0..5 {
            scene.wait(1).add("alice");
        }
        assert_eq!(scene.counts(), []);
        assert_eq!(scene.groups.next_due(), Some(Duration::from_secs(30)));
        assert_eq!(scene.wait(25).counts(), [("alice".to_owned(), 5)]);
    }

    #[test]
    fn a_group_that_was_quiet_is_forgotten_and_begins_at_once_again() {
        let mut scene = Scene::new(60);
        scene.add("alice");
        scene.counts();
        assert_eq!(scene.wait(31).counts(), []);
        assert_eq!(scene.groups.next_due(), None);
        assert!(scene.groups.open.is_empty());
        scene.add("alice");
        assert_eq!(scene.counts().len(), 1);
    }

    #[test]
    fn a_used_up_rate_delays_and_loses_nothing() {
        let mut scene = Scene::new(2);
        for caller in ["a", "b", "c"] {
            scene.add(caller);
            scene.wait(1);
        }
        assert_eq!(scene.counts().len(), 2);
        scene.add("c");
        assert_eq!(scene.counts(), []);
        let due = scene.groups.next_due().unwrap();
        assert!(due > scene.clock.monotonic() && due < Duration::from_secs(40), "{due:?}");
        assert_eq!(scene.wait(31).counts(), [("c".to_owned(), 2)]);
    }

    #[test]
    fn more_groups_than_fit_are_counted_in_the_next_message() {
        let mut scene = Scene::new(60);
        for n in 0..GROUPS_MAX {
            assert_eq!(scene.add(&n.to_string()), Added::Taken);
        }
        assert_eq!(scene.add("one too many"), Added::Suppressed);
        let now = scene.clock.monotonic();
        assert_eq!(scene.groups.take(now).unwrap().suppressed, 1);
        assert_eq!(scene.groups.take(now).unwrap().suppressed, 0);
    }

    #[test]
    fn at_the_end_everything_counted_may_go() {
        let mut scene = Scene::new(60);
        scene.add("alice");
        scene.counts();
        scene.wait(1).add("alice");
        assert_eq!(scene.counts(), []);
        let now = scene.clock.monotonic();
        assert_eq!(scene.groups.take_any(now).unwrap().count, 1);
        assert_eq!(scene.groups.take_any(now), None);
    }
}
