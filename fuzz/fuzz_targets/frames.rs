#![no_main]

use befriend_fuzz::{run_on_site, targets::surfaces};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| run_on_site(surfaces::frames, input));
