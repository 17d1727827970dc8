//! Redaction of bodies of any format.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("redact", &countersign::wire::fuzzing::redactions()), |data: &[u8]| countersign::wire::fuzzing::redaction(data));
