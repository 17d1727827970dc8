//! Files of policies.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("policy", &countersign::compile::fuzzing::files()), |data: &[u8]| countersign::compile::fuzzing::policies(data));
