//! Between the ledger and the desk: what workloads are given and which Pods may follow it goes there, what gates said comes
//! from there.

use std::collections::BTreeSet;

use super::bulletin::Turn;
use super::desk::{Publication, Said, Standing};
use super::work::Operator;
use super::workloads::Enrolled;
use crate::distribution::serve::{Denied, PodIdentity};
use crate::distribution::{Order, PublicKey};

impl Operator {
    /// Takes what gates said.
    pub(super) fn hear(&mut self) {
        let (Said { reports, claims, seconds }, counts) = {
            let mut desk = self.desk.state();
            (desk.said(), desk.counts())
        };
        if let Some(counts) = counts {
            self.health.metrics.gates(counts);
        }
        let spoke: BTreeSet<_> = reports.keys().chain(claims.keys()).cloned().collect();
        self.memory.claims = claims.into_iter().map(|(uid, key)| (uid, key.to_string())).collect();
        for (uid, report) in reports {
            self.ledger.reports.entry(uid).or_default().then(report);
        }
        for uid in spoke {
            match self.ledger.pods.get(&uid) {
                Some(pod) => drop(self.ledger.touched.workloads.insert(self.ledger.pods.workload_of(pod).to_owned())),
                // Nobody connects for a Pod that was never seen here: it has just ended.
                None => drop(self.ledger.reports.remove(&uid)),
            }
        }
        for pod in seconds {
            if let Some(known) = self.ledger.pods.get(&pod.uid) {
                let workload = self.ledger.pods.workload_of(known).to_owned();
                self.announce(&workload, &Turn::SecondClaimant { pod: pod.name });
            }
        }
    }

    /// Leaves at the desk what a workload is given, and which Pods may follow it.
    pub(super) fn serve(&mut self, workload: &str) {
        self.ledger.give(workload);
        let enrolled = self.ledger.keys.get(workload).and_then(|key| self.ledger.workloads.get(key));
        let mut desk = self.desk.state();
        let Some(enrolled) = enrolled else {
            desk.withdraw(workload);
            return;
        };
        let lines = self.ledger.gates.of(workload).map(|(_, seen)| seen.status.pods.as_slice()).unwrap_or_default();
        let keys: std::collections::HashMap<_, _> =
            lines.iter().filter_map(|line| Some((line.uid.as_str(), line.key.as_deref()?))).collect();
        let standings = self.ledger.pods.of(workload).map(|(uid, pod)| Standing {
            pod: PodIdentity { namespace: pod.namespace.clone(), name: pod.name.clone(), uid: uid.to_owned() },
            key: keys.get(uid).and_then(|key| key.parse::<PublicKey>().ok()),
        });
        desk.stand(workload, standings.collect());
        match self.ledger.terms.as_ref().and_then(|terms| terms.given(enrolled).zip(Some(terms.age_max))) {
            Some((order, age_max)) => {
                if let Some(publication) = publication(enrolled, order, age_max) {
                    desk.publish(workload, publication, self.changed_at);
                }
            }
            None => desk.doubt(workload),
        }
    }

    /// Answers claims that are written down, or never will be.
    pub(super) fn answer(&mut self) {
        for (uid, key) in &self.memory.claims {
            let Some(pod) = self.ledger.pods.get(uid) else { continue };
            let workload = self.ledger.pods.workload_of(pod);
            let enrolled = self.ledger.keys.get(workload).is_some_and(|key| self.ledger.workloads.contains_key(key));
            let lines = self.ledger.gates.of(workload).map(|(_, seen)| seen.status.pods.as_slice()).unwrap_or_default();
            let written = lines.iter().find(|line| line.uid == *uid).and_then(|line| line.key.as_ref());
            let answer = match written {
                Some(written) if written == key => Ok(()),
                Some(_) => Err(Denied::OtherKey),
                None if !enrolled => Err(Denied::NotEnrolled),
                None => continue,
            };
            self.desk.state().answer(uid, &answer);
        }
    }
}

fn publication(enrolled: &Enrolled, order: Order, age_max: std::time::Duration) -> Option<Publication> {
    let selection = enrolled.in_force.clone()?;
    let revision = *selection.revision.as_ref().ok()?;
    Some(Publication { order, revision, workload: enrolled.owned.workload.clone(), age_max, selection })
}
