//! Tests that the table of detectors and the engine fit each other.

use super::TextMatch;
use super::lexicon::Gathering;
use crate::detect;

#[test]
fn one_rule_set_can_hold_every_detector() {
    let mut lexicon = Gathering::default();
    let refused: Vec<_> = detect::names()
        .filter_map(|name| Some((name, lexicon.add(&TextMatch::Detector(detect::by_name(name)?)).err()?)))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
    assert!(lexicon.finish().is_ok());
}
