//! Certificates over years, by a clock that is moved: who serves what, and who trusts that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::ByteString;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::Current;
use super::material::{Flaw, Life, Material, Served};
use super::rotation::{Announced, LIFE, next};
use crate::telemetry::OperatorMetrics;

const HOUR: Duration = Duration::from_hours(1);

fn names() -> Vec<String> {
    vec!["countersign-operator.models.svc".to_owned(), "127.0.0.1".to_owned()]
}

fn at(hours: u32) -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap() + HOUR * hours
}

/// Whether whoever trusts these authorities takes what is served, under this name, now.
fn is_trusted(trusted: &str, served: &Current, name: &str, now: Timestamp) -> Result<(), String> {
    let mut roots = rustls::RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(trusted.as_bytes()) {
        roots.add(authority.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let key = served.key.load_full().ok_or("nothing is served")?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(now.as_second()).unwrap()));
    let verified = verifier.verify_server_cert(&key.cert[0], &[], &name, &[], now);
    verified.map(|_| ()).map_err(|error| error.to_string())
}

fn served(material: &Material) -> Served {
    let data = material.data();
    Served::read(|name| data.get(name).map(|text| text.0.clone())).unwrap()
}

/// What a Secret keeps of it.
fn stored(material: &Material) -> Material {
    Material::read(&material.data()).unwrap()
}

/// Two replicas and an API server over four years, looked at every hour. The API server and the second replica hear of everything
/// `late` hours after the first. How many certificates and authorities there were.
fn years(late: usize) -> (usize, usize) {
    let (first, second) = (Current::nothing(OperatorMetrics::new()), Current::nothing(OperatorMetrics::new()));
    let (mut history, names) = (Vec::<Arc<Material>>::new(), names());
    let (mut leaves, mut authorities) = (BTreeSet::new(), BTreeSet::new());
    let mut changed = 0;
    for hour in 0..4 * 365 * 24_usize {
        let now = at(u32::try_from(hour).unwrap());
        let heard =
            |history: &[Arc<Material>], hour: usize| hour.checked_sub(late).map(|then| Arc::clone(&history[then]));
        let last = history.last().cloned();
        let told = hour.checked_sub(1).and_then(|before| heard(&history, before));
        let all_told = told.zip(last.as_ref()).is_some_and(|(told, last)| told.authorities == last.authorities);
        let announced = if all_told { Announced::Yes } else { Announced::No };
        if let Some(next) = next(last.as_deref(), &names, &names, announced, now).unwrap() {
            changed = hour;
            history.push(Arc::new(stored(&next)));
            first.take(served(&next)).unwrap();
            leaves.insert(next.leaf.der.to_vec());
            authorities.extend(next.authorities.iter().map(|authority| authority.der.to_vec()));
            assert!(next.authorities.len() <= 2);
        } else {
            history.push(last.unwrap());
        }
        let newest = &history[hour];
        let left = newest.leaf.about.until.duration_since(now);
        assert!(left >= SignedDuration::from_hours(29 * 24), "hour {hour}: {left}");
        // Between changes that everybody has heard of, once a day is often enough.
        if hour > changed + late + 1 && hour % 24 > 0 {
            continue;
        }
        let Some(seen) = heard(&history, hour) else { continue };
        second.take(served(&seen)).unwrap();
        for (who, server) in [("first", &first), ("second", &second)] {
            for trusted in [seen.trusted(), newest.trusted()] {
                let met = is_trusted(&trusted, server, &names[hour % 2], now);
                met.unwrap_or_else(|error| panic!("{who}, hour {hour}: {error}"));
            }
        }
    }
    (leaves.len(), authorities.len())
}

#[test]
fn certificates_are_replaced_for_years_and_nobody_meets_one_that_it_does_not_trust() {
    let (leaves, authorities) = years(0);
    assert!((24..30).contains(&leaves), "{leaves} in four years of 90 days, of which 60 are used");
    assert_eq!(authorities, 3, "in four years of two, of which 16 months are used");
    assert_eq!(years(20).1, authorities, "whoever hears of everything twenty hours late");
}

#[test]
fn an_authority_that_was_not_announced_signs_nothing() {
    let names = names();
    let first = Material::fresh(&LIFE, &names, at(0)).unwrap();
    let both = first.with_authority(&LIFE, at(1)).unwrap();
    for later in [1, 2, 24 * 30] {
        assert!(next(Some(&both), &names, &names, Announced::No, at(later)).unwrap().is_none(), "{later}");
    }
    assert!(next(Some(&both), &names, &names, Announced::Yes, at(1)).unwrap().is_none(), "it was announced just now");
    let signed = next(Some(&both), &names, &names, Announced::Yes, at(2)).unwrap().unwrap();
    assert_eq!(signed.leaf.about.issuer, both.authorities[1].about.subject);
    assert_eq!(signed.authorities, both.authorities, "the old one is still trusted");
    assert!(next(Some(&signed), &names, &names, Announced::Yes, at(25)).unwrap().is_none());
    let alone = next(Some(&signed), &names, &names, Announced::Yes, at(26)).unwrap().unwrap();
    assert_eq!(alone.authorities, both.authorities[1..]);
    assert_eq!(alone.leaf, signed.leaf);
}

#[test]
fn what_is_missing_expired_or_for_other_names_is_made_anew() {
    let names = names();
    let first = next(None, &[], &names, Announced::No, at(0)).unwrap().unwrap();
    assert!(next(Some(&first), &names, &names, Announced::No, at(1)).unwrap().is_none());
    let others = vec!["elsewhere".to_owned()];
    let renamed = next(Some(&first), &names, &others, Announced::No, at(1)).unwrap().unwrap();
    assert_eq!(renamed.authorities, first.authorities);
    let current = Current::nothing(OperatorMetrics::new());
    current.take(served(&renamed)).unwrap();
    is_trusted(&first.trusted(), &current, "elsewhere", at(1)).unwrap();
    is_trusted(&first.trusted(), &current, &names[0], at(1)).unwrap_err();
    // Nobody was there for a hundred days, then for three years.
    let late = next(Some(&first), &names, &names, Announced::No, at(100 * 24)).unwrap().unwrap();
    assert_eq!(late.authorities, first.authorities);
    let too_late = next(Some(&first), &names, &names, Announced::No, at(3 * 365 * 24)).unwrap().unwrap();
    assert_ne!(too_late.authorities, first.authorities);
    assert!(too_late.leaf.about.until > at(3 * 365 * 24));
}

#[test]
fn what_cannot_be_served_with_leaves_what_was_good() {
    let names = names();
    let life = Life { authority: HOUR * 10, leaf: HOUR };
    let (one, two) = (Material::fresh(&life, &names, at(0)).unwrap(), Material::fresh(&life, &names, at(0)).unwrap());
    let current = Current::nothing(OperatorMetrics::new());
    let mut told = current.trusted();
    current.take(served(&one)).unwrap();
    assert!(told.has_changed().unwrap());
    assert_eq!(told.borrow_and_update().clone(), Some(one.trusted()));

    let mut mixed: BTreeMap<String, ByteString> = one.data();
    mixed.insert("tls.key".to_owned(), two.data()["tls.key"].clone());
    let mixed = Served::read(|name| mixed.get(name).map(|text| text.0.clone())).unwrap();
    assert!(matches!(current.take(mixed), Err(Flaw::Pair(_))));
    for missing in ["tls.crt", "tls.key"] {
        let read = Served::read(|name| one.data().get(name).filter(|_| name != missing).map(|text| text.0.clone()));
        assert!(matches!(read, Err(Flaw::Missing(name)) if name == missing));
    }
    assert!(matches!(Served::read(|_| Some(b"nonsense".to_vec())), Err(Flaw::Pem("tls.crt"))));
    assert!(!told.has_changed().unwrap());
    is_trusted(&one.trusted(), &current, &names[0], at(0)).unwrap();
    current.take(served(&two)).unwrap();
    assert!(told.has_changed().unwrap());
    is_trusted(&one.trusted(), &current, &names[0], at(0)).unwrap_err();
}
