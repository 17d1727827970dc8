//! Strict JSON against serde_json.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("json", &countersign::wire::fuzzing::documents()), |data: &[u8]| countersign::wire::fuzzing::json(data));
