#![no_main]

use befriend_fuzz::{run, targets::answers};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| run(answers::vendor(input)));
