//! The code that is generated from the protos, and kept in the repository: it is what they say today.
//! `make clients` writes it anew.

mod typescript;

use std::{env, fs, path::Path};

use befriend::proto;
use prost_reflect::{DescriptorPool, prost_types::method_options::IdempotencyLevel};

const RUST: &str = "clients/rust/src/generated";
const TYPESCRIPT: &str = "clients/typescript/src/generated";

/// Compares a file with what it should contain, or writes it when `UPDATE_GOLDEN` is set.
#[track_caller]
fn keep(folder: &str, name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, wanted).expect("the file can be written");
        return;
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == wanted, "{folder}/{name} is not what the protos say: run `make clients`");
}

#[test]
fn the_rust_code_is_what_the_protos_say() {
    let mut files: Vec<_> = fs::read_dir("proto/befriend/v1")
        .expect("there are protos")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let mut compiler = protox::Compiler::new(["proto"]).expect("a compiler");
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(files).expect("the protos compile");
    let out = tempfile::tempdir().expect("a folder");
    tonic_prost_build::configure()
        .build_transport(false)
        .client_mod_attribute(".", "#[cfg(feature = \"client\")]")
        .server_mod_attribute(".", "#[cfg(feature = \"server\")]")
        .out_dir(out.path())
        .compile_fds(compiler.file_descriptor_set())
        .expect("the code is generated");
    let code = fs::read_to_string(out.path().join("befriend.v1.rs")).expect("the code");
    keep(RUST, "befriend.v1.rs", &code);
}

#[test]
fn the_table_of_methods_is_what_the_protos_say() {
    let pool = DescriptorPool::decode(proto::DESCRIPTORS).expect("descriptors");
    let methods: Vec<_> =
        pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect();
    let table =
        |name: &str, comment: &str, wanted: &dyn Fn(&prost_reflect::MethodDescriptor) -> bool| {
            let mut paths: Vec<_> = methods
                .iter()
                .filter(|method| wanted(method))
                .map(|method| {
                    format!("    \"/{}/{}\",\n", method.parent_service().full_name(), method.name())
                })
                .collect();
            paths.sort();
            format!("/// {comment}\npub(crate) const {name}: &[&str] = &[\n{}];\n", paths.concat())
        };
    let level = |method: &prost_reflect::MethodDescriptor| {
        method.method_descriptor_proto().options.as_ref().map(|options| options.idempotency_level())
    };
    let repeatable = |method: &prost_reflect::MethodDescriptor| {
        let level = level(method);
        level == Some(IdempotencyLevel::NoSideEffects)
            || level == Some(IdempotencyLevel::Idempotent)
    };
    let code = format!(
        "// @generated\n\n{}\n{}",
        table("REPEATABLE", "Methods that may be called again, in order.", &repeatable),
        table("STREAMS", "Methods whose answers are streams, in order.", &|method| method
            .is_server_streaming()),
    );
    keep(RUST, "methods.rs", &code);
}

#[test]
fn the_typescript_code_is_what_the_protos_say() {
    let pool = DescriptorPool::decode(proto::DOCUMENTED_DESCRIPTORS).expect("descriptors");
    for (name, code) in typescript::files(&pool) {
        keep(TYPESCRIPT, name, &code);
    }
}
