//! Compiles `proto/` in pure Rust, so that no machine needs `protoc`.
//!
//! Two runs of the compiler: one keeps the comments, which become rustdoc; the other leaves them out
//! of the descriptors that the reflection service hands out.

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

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(false);
    compiler.open_files(PROTOS)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(PROTOS)?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
