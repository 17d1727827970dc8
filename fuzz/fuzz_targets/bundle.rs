//! Bundles of policies for gates.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("bundle", &countersign::distribution::fuzzing::bundles()), |data: &[u8]| countersign::distribution::fuzzing::read(data));
