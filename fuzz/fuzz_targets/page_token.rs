#![no_main]

use befriend_fuzz::targets::parsers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| parsers::page_token(input));
