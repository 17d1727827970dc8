//! Content encodings.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("encoding", &countersign::sidecar::fuzzing::encoded()), |data: &[u8]| countersign::sidecar::fuzzing::encoding(data));
