//! Fuzz target of this room: any bytes as a bundle. Panics where it finds a fault.

use std::time::Duration;

use super::bundle::{Bundle, Order};
use super::envelope::{Envelope, Signer, publish};
use super::key::{PublicKey, SigningKey};
use crate::base::Digest;
use crate::rules::Workload;

/// A bundle, and one that a second key signed; with and without what is around it.
#[must_use]
pub fn bundles() -> Vec<Vec<u8>> {
    let bundle = Bundle {
        order: Order { epoch: 1, sequence: 2 },
        revision: Digest::of(b"revision"),
        uid: "0f6e".to_owned(),
        workload: Workload {
            namespace: "models".to_owned(),
            name: "llama".to_owned(),
            labels: [("app", "llama"), ("tier", "gold")].map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
        },
        age_max: Duration::from_mins(1),
        documents: vec!["kind: ApprovalPolicy\n".to_owned(), "{}".to_owned()],
    };
    let first = Signer::new(SigningKey::of_seed(1));
    let one = publish(&bundle, &first).unwrap_or_default();
    let second = first.hand_over(SigningKey::of_seed(2)).map(|second| publish(&bundle, &second).unwrap_or_default());
    vec![one, second.unwrap_or_default(), bundle.write().unwrap_or_default()]
}

/// Reads bytes as a bundle inside and outside of its envelope: what fits is written again as it was, and nothing that a key did
/// not sign is read.
pub fn read(data: &[u8]) {
    if let Ok(bundle) = Bundle::read(data) {
        assert_eq!(bundle.write().as_deref(), Ok(data));
    }
    if let Ok(envelope) = Envelope::open(data) {
        let stranger: PublicKey = SigningKey::of_seed(3).public();
        assert!(envelope.read(stranger).is_err(), "a stranger's signature holds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fuzzing::drive;

    #[test]
    fn any_bytes_are_a_bundle_or_refused() {
        let seeds = bundles();
        assert!(seeds.iter().all(|seed| !seed.is_empty()));
        drive(&seeds, read);
    }
}
