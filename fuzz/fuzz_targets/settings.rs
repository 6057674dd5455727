#![no_main]

use befriend_fuzz::{run, targets::parsers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| run(parsers::settings(input)));
