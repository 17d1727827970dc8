//! What the desk holds. Pure: whoever locks it waits for nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use crate::base::Digest;
use crate::distribution::serve::{Denied, Offer, PodIdentity};
use crate::distribution::{Bundle, Order, PublicKey, Signer};
use crate::operator::report::Report;
use crate::operator::selection::Selection;
use crate::rules::Workload;

/// So many claims with other keys are remembered, so that each is told of once.
const SECONDS_MAX: usize = 10_000;

/// A live Pod of an enrolled workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::operator) struct Standing {
    /// The Pod.
    pub(in crate::operator) pod: PodIdentity,
    /// The key of its gate, once that is written down.
    pub(in crate::operator) key: Option<PublicKey>,
}

/// What a workload is given.
#[derive(Debug, Clone)]
pub(in crate::operator) struct Publication {
    /// How new it is.
    pub(in crate::operator) order: Order,
    /// The revision of its rule set.
    pub(in crate::operator) revision: Digest,
    /// The workload.
    pub(in crate::operator) workload: Workload,
    /// How long it may be judged by without news.
    pub(in crate::operator) age_max: Duration,
    /// What it holds.
    pub(in crate::operator) selection: Arc<Selection>,
}

/// What gates said since it was last asked.
#[derive(Debug, Default)]
pub(in crate::operator) struct Said {
    /// Of themselves, by the UIDs of their Pods.
    pub(in crate::operator) reports: HashMap<String, Report>,
    /// Claims that wait to be written down: the UID of the Pod, and the key.
    pub(in crate::operator) claims: HashMap<String, PublicKey>,
    /// Pods that were claimed with another key than their gate's.
    pub(in crate::operator) seconds: Vec<PodIdentity>,
}

/// A gate's place.
#[derive(Debug)]
struct Place {
    standing: Standing,
    workload: String,
    /// Where its gate hears what it is offered, while it is connected.
    sender: Option<watch::Sender<Option<Arc<Offer>>>>,
    /// The revision that its gate has in force, if that is one of here.
    in_force: Option<Digest>,
    /// What its gate was connected for when it was published, and since when that has been on its way.
    awaits: Option<(Order, Instant)>,
}

/// What is served to the gates of a workload.
#[derive(Debug, Default)]
struct Served {
    pods: HashSet<String>,
    publication: Option<Publication>,
    /// Signed when the first gate asks for it, and dropped after the last: there may be thousands of workloads.
    offer: Option<Arc<Offer>>,
    /// Whether the publication is what is to be in force, as far as can be known here.
    current: bool,
}

/// A claim that waits to be written down.
#[derive(Debug)]
struct Claim {
    key: PublicKey,
    waiting: Vec<oneshot::Sender<Result<(), Denied>>>,
}

/// What comes of a claim.
pub(super) enum Claimed {
    /// The Pod was pinned to this key before.
    Pinned,
    /// It has to be written down.
    Waits(oneshot::Receiver<Result<(), Denied>>),
}

/// What the desk holds.
#[derive(Debug, Default)]
pub(in crate::operator) struct State {
    signer: Option<Arc<Signer>>,
    complete: bool,
    places: HashMap<String, Place>,
    workloads: HashMap<String, Served>,
    reports: HashMap<String, Report>,
    claims: HashMap<String, Claim>,
    seconds: Vec<PodIdentity>,
    told: HashSet<(String, [u8; 32])>,
    /// Which gates are connected, or what they have in force, has changed since it was last counted.
    turned: bool,
}

/// For the work at the ledger.
impl State {
    /// Who signs from now on. Everything that is offered is signed again.
    pub(in crate::operator) fn sign_with(&mut self, signer: Arc<Signer>) {
        if self.signer.as_ref().is_some_and(|known| Arc::ptr_eq(known, &signer)) {
            return;
        }
        self.signer = Some(signer);
        let uids: Vec<_> = self.workloads.keys().cloned().collect();
        for uid in uids {
            self.offer_again(&uid);
        }
    }

    /// Everything was read once: who is not known now is not there.
    pub(in crate::operator) const fn complete(&mut self) {
        self.complete = true;
    }

    /// The live Pods of a workload. The streams of others end.
    pub(in crate::operator) fn stand(&mut self, workload: &str, standings: Vec<Standing>) {
        let served = self.workloads.entry(workload.to_owned()).or_default();
        let pods: HashSet<_> = standings.iter().map(|standing| standing.pod.uid.clone()).collect();
        for gone in served.pods.difference(&pods) {
            self.places.remove(gone);
            self.turned = true;
        }
        served.pods = pods;
        for standing in standings {
            let uid = standing.pod.uid.clone();
            match self.places.get_mut(&uid) {
                Some(place) if place.workload == workload => place.standing = standing,
                Some(_) | None => {
                    let workload = workload.to_owned();
                    let place = Place { standing, workload, sender: None, in_force: None, awaits: None };
                    self.places.insert(uid, place);
                    self.turned = true;
                }
            }
        }
    }

    /// What a workload is given from now on; it has been on its way since then.
    pub(in crate::operator) fn publish(&mut self, workload: &str, publication: Publication, since: Instant) {
        let served = self.workloads.entry(workload.to_owned()).or_default();
        served.current = true;
        if served.publication.as_ref().is_some_and(|known| known.order == publication.order) {
            return;
        }
        let order = publication.order;
        served.publication = Some(publication);
        for uid in &served.pods {
            if let Some(place) = self.places.get_mut(uid).filter(|place| place.sender.is_some()) {
                place.awaits = Some((order, since));
            }
        }
        self.offer_again(workload);
    }

    /// How many gates are connected, by what they have in force, if that has changed.
    pub(in crate::operator) fn counts(&mut self) -> Option<BTreeMap<String, usize>> {
        if !std::mem::take(&mut self.turned) {
            return None;
        }
        let mut counts = BTreeMap::<_, usize>::new();
        for place in self.places.values().filter(|place| place.sender.is_some()) {
            *counts.entry(place.in_force).or_default() += 1;
        }
        let name =
            |revision: Option<Digest>| revision.map_or_else(|| "other".to_owned(), |revision| revision.to_string());
        Some(counts.into_iter().map(|(revision, count)| (name(revision), count)).collect())
    }

    /// What a workload is given may not be the newest any more.
    pub(in crate::operator) fn doubt(&mut self, workload: &str) {
        if let Some(served) = self.workloads.get_mut(workload) {
            served.current = false;
        }
    }

    /// A workload is gone, or enrolled no longer.
    pub(in crate::operator) fn withdraw(&mut self, workload: &str) {
        if let Some(served) = self.workloads.remove(workload) {
            for uid in &served.pods {
                self.places.remove(uid);
            }
            self.turned = true;
        }
    }

    /// What gates said since it was last asked. Claims come again until they are answered.
    pub(in crate::operator) fn said(&mut self) -> Said {
        self.claims.retain(|_, claim| {
            claim.waiting.retain(|waiting| !waiting.is_closed());
            !claim.waiting.is_empty()
        });
        Said {
            reports: std::mem::take(&mut self.reports),
            claims: self.claims.iter().map(|(uid, claim)| (uid.clone(), claim.key)).collect(),
            seconds: std::mem::take(&mut self.seconds),
        }
    }

    /// Answers all who wait for the claim of a Pod.
    pub(in crate::operator) fn answer(&mut self, pod: &str, answer: &Result<(), Denied>) {
        let Some(claim) = self.claims.remove(pod) else { return };
        if let (Ok(()), Some(place)) = (answer, self.places.get_mut(pod)) {
            place.standing.key = Some(claim.key);
        }
        for waiting in claim.waiting {
            // Who has gone meanwhile comes again.
            let _ = waiting.send(answer.clone());
        }
    }

    /// Signs what a workload is given, if anybody listens, and says so.
    fn offer_again(&mut self, workload: &str) {
        let Some(served) = self.workloads.get_mut(workload) else { return };
        served.offer = None;
        let heard = |uid: &String| self.places.get(uid).is_some_and(|place| place.sender.is_some());
        if !served.pods.iter().any(heard) {
            return;
        }
        served.sign(workload, self.signer.as_deref());
        let (pods, offer) = (served.pods.clone(), served.offer.clone());
        for uid in pods {
            if let Some(sender) = self.places.get(&uid).and_then(|place| place.sender.as_ref()) {
                sender.send_replace(offer.clone());
            }
        }
    }
}

/// For gates.
impl State {
    pub(super) fn signer(&self) -> Option<Arc<Signer>> {
        self.signer.clone()
    }

    pub(super) fn standing(&self, pod: &str) -> Option<&Standing> {
        self.places.get(pod).map(|place| &place.standing)
    }

    pub(super) fn report(&mut self, pod: &str, report: Report) {
        self.reports.entry(pod.to_owned()).or_default().then(report);
    }

    /// The gate of a Pod has this in force, or something that was not given here; since when that was on its way, if the gate
    /// was connected all the while.
    pub(super) fn in_force(&mut self, pod: &str, order: Option<Order>) -> Option<Instant> {
        let place = self.places.get_mut(pod)?;
        let published = self.workloads.get(&place.workload).and_then(|served| served.publication.as_ref());
        place.in_force = published.filter(|one| Some(one.order) == order).map(|one| one.revision);
        self.turned = true;
        let (_, since) = place.awaits.take_if(|(awaited, _)| Some(*awaited) == order)?;
        Some(since)
    }

    /// What the gate of a Pod is offered: its order and its digest.
    pub(super) fn offered(&self, pod: &str) -> Option<(Order, Digest)> {
        let offer = self.workloads.get(&self.places.get(pod)?.workload)?.offer.as_ref()?;
        Some((offer.order, offer.digest))
    }

    pub(super) fn is_current(&self, pod: &PodIdentity, offer: &Offer) -> bool {
        let served = self.places.get(&pod.uid).and_then(|place| self.workloads.get(&place.workload));
        served.is_some_and(|served| {
            let published = served.publication.as_ref().is_some_and(|publication| publication.order == offer.order);
            served.current && published
        })
    }

    pub(super) fn follow(&mut self, pod: &PodIdentity) -> Result<watch::Receiver<Option<Arc<Offer>>>, Denied> {
        if !self.complete {
            return Err(Denied::Unavailable("it has not read everything yet".to_owned()));
        }
        let place =
            self.places.get_mut(&pod.uid).filter(|place| place.standing.pod == *pod).ok_or(Denied::NotEnrolled)?;
        let served = self.workloads.get_mut(&place.workload).ok_or(Denied::NotEnrolled)?;
        if served.offer.is_none() {
            served.sign(&place.workload, self.signer.as_deref());
        }
        let sender = place.sender.get_or_insert_with(|| watch::channel(None).0);
        sender.send_replace(served.offer.clone());
        Ok(sender.subscribe())
    }

    pub(super) fn gone(&mut self, pod: &str) {
        let Some(place) = self.places.get_mut(pod) else { return };
        // The connection that has ended may still have its receiver; that of one that came after it counts too.
        if place.sender.as_ref().is_some_and(|sender| sender.receiver_count() <= 1) {
            (place.sender, place.in_force, place.awaits) = (None, None, None);
            self.turned = true;
        }
        let Some(served) = self.workloads.get_mut(&place.workload) else { return };
        let heard = |uid: &String| self.places.get(uid).is_some_and(|place| place.sender.is_some());
        if !served.pods.iter().any(heard) {
            served.offer = None;
        }
    }

    /// Takes a claim, unless the Pod has another key already.
    pub(super) fn claim(&mut self, pod: &PodIdentity, key: PublicKey) -> Result<Claimed, Denied> {
        let standing = self.standing(&pod.uid);
        let known = standing.and_then(|standing| standing.key);
        let known = known.or_else(|| self.claims.get(&pod.uid).map(|claim| claim.key));
        if known.is_some_and(|known| known != key) {
            self.second(pod, key);
            return Err(Denied::OtherKey);
        }
        if self.standing(&pod.uid).is_some_and(|standing| standing.key.is_some()) {
            return Ok(Claimed::Pinned);
        }
        let (answer, waits) = oneshot::channel();
        let claim = self.claims.entry(pod.uid.clone()).or_insert_with(|| Claim { key, waiting: Vec::new() });
        claim.waiting.push(answer);
        Ok(Claimed::Waits(waits))
    }

    /// Another key was claimed for a Pod; it is told of once.
    pub(super) fn second(&mut self, pod: &PodIdentity, key: PublicKey) {
        if self.told.len() < SECONDS_MAX && self.told.insert((pod.uid.clone(), *key.as_bytes())) {
            tracing::warn!(namespace = pod.namespace, pod = pod.name, key = %key, "somebody claimed a Pod with another key");
            self.seconds.push(pod.clone());
        }
    }
}

impl Served {
    fn sign(&mut self, uid: &str, signer: Option<&Signer>) {
        let (Some(publication), Some(signer)) = (&self.publication, signer) else { return };
        let bundle = Bundle {
            order: publication.order,
            revision: publication.revision,
            uid: uid.to_owned(),
            workload: publication.workload.clone(),
            age_max: publication.age_max,
            documents: publication.selection.documents.iter().map(|good| good.text.clone()).collect(),
        };
        match Offer::sign(&bundle, signer) {
            Ok(offer) => self.offer = Some(Arc::new(offer)),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, workload = uid, "what a workload is to be given cannot be");
            }
        }
    }
}
