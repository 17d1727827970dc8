//! The rules of the election, without an API server: what is known of the Lease, what to do next, and how long this process
//! surely leads. A pure state: no client, no clock, no task.
//!
//! A follower waits for the whole length of a Lease that it saw unchanged, counted from when it saw it; a leader counts as
//! leading for two thirds of that, counted from before it asked for its last renewal. So nobody can take a Lease that its
//! holder still believes in, however their clocks differ, as long as they run at about the same speed.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// Lengths that belong together, of the length of the Lease.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// So long a follower waits for a leader that says nothing.
    pub(super) lease: Duration,
    /// So often the leader says that it is there.
    pub(super) renew_every: Duration,
    /// So long it leads after the last time that it could.
    pub(super) lost_after: Duration,
    /// Longest wait for one answer of the API server.
    pub(super) answer_max: Duration,
}

impl Timing {
    /// Three attempts to renew fit into the time in which a leader must.
    pub(super) fn of(lease: Duration) -> Self {
        Self { lease, renew_every: lease / 5, lost_after: lease * 2 / 3, answer_max: lease / 5 }
    }
}

/// How much time has passed since this process began. No clock is right: one stops with a machine that sleeps, the other is set by
/// people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// So much certainly: by this, followers wait.
    pub(super) least: Duration,
    /// So much perhaps: by this, leaders lose.
    pub(super) most: Duration,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Read the Lease.
    Look,
    /// Make it, held by this process.
    Create,
    /// Write it, held by this process.
    Hold,
    /// Nothing for so long, unless the Lease changes.
    Wait(Duration),
}

/// What is known of the Lease.
#[derive(Debug)]
enum Knowledge {
    Nothing,
    /// There is none.
    Absent,
    /// As it was seen, and when first so, by what certainly passes.
    Seen(Box<Lease>, Duration),
}

/// One process's part in the election.
#[derive(Debug)]
pub(super) struct Election {
    me: String,
    timing: Timing,
    known: Knowledge,
    /// When the renewal was asked for by which this process leads, by what perhaps passes.
    renewed: Option<Duration>,
    /// What failed is not tried again before; by what certainly passes.
    rest_until: Duration,
}

impl Election {
    /// A follower that knows nothing yet.
    pub(super) fn new(me: String, timing: Timing) -> Self {
        Self { me, timing, known: Knowledge::Nothing, renewed: None, rest_until: Duration::ZERO }
    }

    /// Until when this process leads, by what perhaps passes; `None` when it does not.
    pub(super) fn leads_until(&self) -> Option<Duration> {
        self.renewed.map(|at| at + self.timing.lost_after)
    }

    /// Who holds the Lease, as far as it is known.
    pub(super) fn holder(&self) -> Option<&str> {
        match &self.known {
            Knowledge::Seen(lease, _) => holder(lease),
            Knowledge::Nothing | Knowledge::Absent => None,
        }
    }

    /// What is to be done now.
    pub(super) fn next(&self, now: Moment) -> Step {
        if let Some(rest) = self.rest_until.checked_sub(now.least).filter(|rest| !rest.is_zero()) {
            return Step::Wait(rest);
        }
        let (lease, at) = match &self.known {
            Knowledge::Nothing => return Step::Look,
            Knowledge::Absent => return Step::Create,
            Knowledge::Seen(lease, at) => (lease, *at),
        };
        let rest = match holder(lease) {
            None => Duration::ZERO,
            Some(holder) if holder == self.me => {
                let due = self.renewed.map(|at| at + self.timing.renew_every);
                due.map_or(Duration::ZERO, |due| due.saturating_sub(now.most))
            }
            Some(_) => (at + length(lease).unwrap_or(self.timing.lease)).saturating_sub(now.least),
        };
        if rest.is_zero() { Step::Hold } else { Step::Wait(rest) }
    }

    /// The Lease was read, or a watch brought it.
    pub(super) fn saw(&mut self, lease: Option<Lease>, now: Moment) {
        let Some(lease) = lease else {
            // A watch may bring late what is no longer so: whoever leads looks before it believes that.
            let leading = matches!(self.known, Knowledge::Seen(..)) && self.renewed.is_some();
            self.known = if leading { Knowledge::Nothing } else { Knowledge::Absent };
            return;
        };
        if let Knowledge::Seen(known, _) = &self.known
            && !is_newer(&lease, known)
        {
            return;
        }
        if holder(&lease) != Some(&self.me) {
            self.renewed = None;
        }
        self.known = Knowledge::Seen(Box::new(lease), now.least);
    }

    /// It was looked for, and there is none: whoever led leads no longer, because anybody may make another.
    pub(super) fn missed(&mut self) {
        self.renewed = None;
        self.known = Knowledge::Absent;
    }

    /// The API server took what was asked for at `asked`.
    pub(super) fn held(&mut self, lease: Lease, asked: Moment, now: Moment) {
        self.known = Knowledge::Seen(Box::new(lease), now.least);
        self.renewed = Some(asked.most);
    }

    /// Somebody else wrote the Lease first.
    pub(super) fn beaten(&mut self) {
        self.known = Knowledge::Nothing;
    }

    /// The API server did not answer, or refused.
    pub(super) fn failed(&mut self, now: Moment) {
        self.rest_until = now.least + self.timing.renew_every / 2;
    }

    /// A leader that could not renew in time leads no longer. What it knows of the Lease is still known.
    pub(super) fn expire(&mut self, now: Moment) {
        if self.leads_until().is_some_and(|until| now.most >= until) {
            self.renewed = None;
        }
    }

    /// The Lease as this process wants it: what to write, and over which version.
    pub(super) fn wanted(&self, now: Timestamp) -> (LeaseSpec, Option<String>) {
        let before = match &self.known {
            Knowledge::Seen(lease, _) => Some(lease),
            Knowledge::Nothing | Knowledge::Absent => None,
        };
        let spec = before.and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let mine = spec.holder_identity.as_deref() == Some(&self.me);
        let transitions = spec.lease_transitions.unwrap_or_default();
        let wanted = LeaseSpec {
            holder_identity: Some(self.me.clone()),
            lease_duration_seconds: Some(i32::try_from(self.timing.lease.as_secs().max(1)).unwrap_or(i32::MAX)),
            acquire_time: spec.acquire_time.filter(|_| mine).or(Some(MicroTime(now))),
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(if mine { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        };
        (wanted, before.and_then(|lease| lease.metadata.resource_version.clone()))
    }

    /// Ends this process's lead; the version of the Lease to give up, where it is this process's.
    pub(super) fn resign(&mut self) -> Option<String> {
        self.renewed = None;
        match &self.known {
            Knowledge::Seen(lease, _) if holder(lease) == Some(&self.me) => lease.metadata.resource_version.clone(),
            Knowledge::Seen(..) | Knowledge::Nothing | Knowledge::Absent => None,
        }
    }
}

fn holder(lease: &Lease) -> Option<&str> {
    let holder = lease.spec.as_ref()?.holder_identity.as_deref()?;
    (!holder.is_empty()).then_some(holder)
}

fn length(lease: &Lease) -> Option<Duration> {
    let seconds = u64::try_from(lease.spec.as_ref()?.lease_duration_seconds?).ok()?;
    Some(Duration::from_secs(seconds))
}

/// Whether this is another and later state of the Lease. Versions of one object are numbers that grow.
fn is_newer(lease: &Lease, known: &Lease) -> bool {
    let version = |lease: &Lease| lease.metadata.resource_version.clone().unwrap_or_default();
    let (new, old) = (version(lease), version(known));
    match (new.parse::<u64>(), old.parse::<u64>()) {
        (Ok(new), Ok(old)) if lease.metadata.uid == known.metadata.uid => new > old,
        _ => new != old,
    }
}
