//! Bodies of one family of formats: the first byte chooses.
#![no_main]

use countersign_fuzz::seed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seed("decode_llamacpp_tgi", &countersign::wire::fuzzing::bodies(countersign::wire::fuzzing::families::LLAMACPP_TGI)), |data: &[u8]| countersign::wire::fuzzing::decoding(countersign::wire::fuzzing::families::LLAMACPP_TGI, data));
