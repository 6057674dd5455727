#![no_main]

use std::{
    env,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use befriend_fuzz::targets::parsers;
use libfuzzer_sys::fuzz_target;

/// In memory where there is such a folder: writing the same file again and again waits for the disk.
static PATH: LazyLock<PathBuf> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { memory.to_owned() } else { env::temp_dir() };
    folder.join(format!("befriend-fuzz-{}", std::process::id()))
});

fuzz_target!(|input: &[u8]| parsers::file(&PATH, input));
