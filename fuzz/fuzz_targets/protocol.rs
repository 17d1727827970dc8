//! What an operator says to a gate.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("protocol", &countersign::distribution::follow::fuzzing::messages()), |data: &[u8]| countersign::distribution::follow::fuzzing::hear(data));
