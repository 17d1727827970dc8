//! Audit logs, and edits of one.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("audit", &countersign::audit::fuzzing::logs()), |data: &[u8]| countersign::audit::fuzzing::log(data));
