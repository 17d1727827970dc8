//! Stored holds, and lives of one.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("hold", &countersign::approvals::fuzzing::holds()), |data: &[u8]| countersign::approvals::fuzzing::hold(data));
