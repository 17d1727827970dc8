//! Connections: the framing guard against hyper, and the route tables.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("head", &countersign::sidecar::fuzzing::streams()), |data: &[u8]| countersign::sidecar::fuzzing::framing(data));
