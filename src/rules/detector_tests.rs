//! Tests that the table of detectors and the engine fit each other.

use super::TextMatch;
use super::lexicon::Gathering;
use super::pattern::Pattern;
use crate::detect;

#[test]
fn the_engine_takes_every_detector() {
    let refused: Vec<_> =
        detect::names().filter_map(|name| Some((name, Pattern::of_detector(detect::by_name(name)?).err()?))).collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn one_rule_set_can_hold_every_detector() {
    let mut lexicon = Gathering::default();
    for name in detect::names() {
        let detector = detect::by_name(name).expect("a name of the table");
        lexicon.add(&TextMatch::Detector(detector)).unwrap();
    }
    assert!(lexicon.finish().is_ok());
}
