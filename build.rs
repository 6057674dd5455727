//! Compiles `proto/` to descriptors: without comments for the reflection service, and with them for the description
//! of the API. In pure Rust, so that no machine needs `protoc`. The generated code is in `clients/rust/`.

use std::{env, error::Error, fs, path::PathBuf};

const PROTOS: &[&str] = &[
    "befriend/v1/app_service.proto",
    "befriend/v1/audit_service.proto",
    "befriend/v1/block_service.proto",
    "befriend/v1/callback_rule_service.proto",
    "befriend/v1/error_reason.proto",
    "befriend/v1/event_service.proto",
    "befriend/v1/friend_service.proto",
    "befriend/v1/operator_token_service.proto",
    "befriend/v1/relation_service.proto",
    "befriend/v1/token_service.proto",
    "befriend/v1/user_service.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    println!("cargo::rerun-if-changed=migrations");

    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (file, with_comments) in [("descriptors.bin", false), ("documented_descriptors.bin", true)]
    {
        let mut compiler = protox::Compiler::new(["proto"])?;
        compiler.include_imports(true).include_source_info(with_comments);
        compiler.open_files(PROTOS)?;
        fs::write(out.join(file), compiler.encode_file_descriptor_set())?;
    }
    Ok(())
}
