//! Which part of the crate may name which other part, and what only one part may do.

use std::collections::BTreeSet;

use super::{
    Source, none,
    references::{Crate, Reference},
    sources,
};

/// Each module and the modules of this crate that it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("background_work", &[]),
    ("clock", &[]),
    ("outbox_signals", &[]),
    ("retry_after", &[]),
    ("early_answer", &[]),
    ("private_postgres", &[]),
    ("measure", &[]),
    ("trace", &[]),
    ("store", &["domain", "measure"]),
    ("page_token", &["domain"]),
    ("ops", &["background_work", "clock", "domain", "outbox_signals", "measure", "store", "trace"]),
    ("transfer", &["domain", "ops"]),
    ("pull", &["clock", "domain", "retry_after", "transfer"]),
    (
        "delivery",
        &["background_work", "clock", "domain", "outbox_signals", "retry_after", "store", "trace"],
    ),
    ("gate", &["domain", "measure", "ops", "trace"]),
    // To try a callback rule is to deliver one event at once.
    (
        "grpc",
        &["delivery", "domain", "early_answer", "gate", "ops", "page_token", "proto", "trace"],
    ),
    ("http", &["clock", "domain", "early_answer", "gate", "ops", "page_token", "trace"]),
    ("config", &["delivery", "domain", "gate", "grpc", "http", "ops", "store"]),
    ("telemetry", &["config", "trace"]),
    (
        "server",
        &[
            "background_work",
            "clock",
            "config",
            "delivery",
            "domain",
            "gate",
            "grpc",
            "http",
            "ops",
            "proto",
            "measure",
            "store",
            "telemetry",
            "trace",
        ],
    ),
    (
        "cli",
        &[
            "background_work",
            "clock",
            "config",
            "delivery",
            "domain",
            "private_postgres",
            "ops",
            "server",
            "store",
            "telemetry",
            "trace",
            "transfer",
            "pull",
        ],
    ),
];

/// The floors inside the operations: the folders of `src/ops/` whose files may name no file of the
/// operations but those of these folders, and their own.
const FLOORS: &[(&str, &[&str])] = &[
    ("src/ops/changes/", &["src/ops/core.rs"]),
    ("src/ops/batch/", &["src/ops/audits.rs", "src/ops/changes/", "src/ops/core.rs"]),
    ("src/ops/bulk/", &["src/ops/changes/", "src/ops/core.rs"]),
    ("src/ops/maintenance/", &["src/ops/changes/", "src/ops/core.rs"]),
    ("src/ops/access/", &["src/ops/audits.rs", "src/ops/call.rs", "src/ops/core.rs"]),
];

/// What the pure decisions do without.
const NOT_IN_DOMAIN: &[&str] =
    &["sqlx", "tokio", "std::env", "std::fs", "std::io", "std::net", "std::process", "std::thread"];

/// The module of a file or an item: "ops" of "src/ops/friends.rs" and of "ops::friends::add", "gate"
/// of "src/gate.rs".
fn module(of: &str) -> &str {
    let inside = of.strip_prefix("src/").unwrap_or(of);
    inside.split(['/', ':', '.']).next().unwrap()
}

fn forbidden_imports(references: &BTreeSet<Reference>) -> Vec<String> {
    let mut culprits = Vec::new();
    for Reference { from, item, .. } in references {
        let (own, other) = (module(from), module(item));
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == own);
        match allowed {
            Some((_, allowed)) if other == own || allowed.contains(&other) => {}
            Some(_) => culprits.push(format!("{from} names {item}")),
            None => culprits.push(format!("what may {own} import? Say it in MAY_IMPORT: {from}")),
        }
    }
    culprits
}

#[test]
fn imports_go_one_way_only() {
    none(forbidden_imports(&Crate::befriend().references()));
}

fn climbing_floors(references: &BTreeSet<Reference>) -> Vec<String> {
    let mut culprits = Vec::new();
    for (floor, below) in FLOORS {
        for Reference { from, to, item, .. } in references {
            let inside = from.starts_with(floor) && to.starts_with("src/ops/");
            if inside && !to.starts_with(floor) && !below.iter().any(|file| to.starts_with(file)) {
                culprits.push(format!("{from} names {item} of {to}"));
            }
        }
    }
    culprits
}

#[test]
fn no_floor_of_the_operations_names_one_above() {
    let references = Crate::befriend().references();
    for (floor, _) in FLOORS {
        assert!(references.iter().any(|r| r.from.starts_with(floor)), "nothing is in {floor}");
    }
    none(climbing_floors(&references));
}

/// Changes and statements run in the transaction of an operation or a batch.
fn transactions_below(source: &Source) -> Vec<String> {
    let is_below = source.is_in(&["src/ops/changes/", "src/store/"]);
    let begins = source.code().filter(|line| is_below && line.contains(".begin("));
    begins.map(|line| format!("{}: {}", source.path, line.trim())).collect()
}

#[test]
fn only_operations_and_batches_begin_transactions() {
    none(sources(&["src"], ".rs").iter().flat_map(transactions_below));
}

/// Paths that climb two modules are hard to follow, and no reader sees which module they name.
fn climbing(krate: &Crate) -> Vec<String> {
    let written = krate.written().into_iter();
    let climbing = written.filter(|(_, path)| path.starts_with("super::super"));
    climbing.map(|(file, path)| format!("{file} names {path}")).collect()
}

#[test]
fn no_path_climbs_two_modules() {
    none(climbing(Crate::befriend()));
}

fn grpc_inside(krate: &Crate) -> Vec<String> {
    let edge = ["src/grpc/", "src/server/", "src/cli/", "src/lib.rs"];
    let written = krate.written().into_iter();
    written
        .filter(|(file, path)| {
            let is_grpc = path.split("::").any(|part| part == "proto" || part.starts_with("tonic"));
            is_grpc && !edge.iter().any(|edge| file.starts_with(edge))
        })
        .map(|(file, path)| format!("{file} names {path}"))
        .collect()
}

#[test]
fn only_the_edge_names_grpc() {
    none(grpc_inside(Crate::befriend()));
}

fn io_in_domain(krate: &Crate) -> Vec<String> {
    let written = krate.written().into_iter();
    written
        .filter(|(file, path)| {
            let begins = |with: &&str| path == with || path.starts_with(&format!("{with}::"));
            file.starts_with("src/domain/") && NOT_IN_DOMAIN.iter().any(begins)
        })
        .map(|(file, path)| format!("{file} names {path}"))
        .collect()
}

#[test]
fn the_domain_does_no_io() {
    none(io_in_domain(Crate::befriend()));
}

/// Calls reach Postgres through functions: a trait over them would be there for a mock.
fn traits_over_the_store(source: &Source) -> Vec<String> {
    let is_trait = |item: &&syn::Item| matches!(item, syn::Item::Trait(_));
    let in_store = source.is_in(&["src/store/"]);
    let items = source.syntax().items;
    let traits = items.iter().filter(|item| in_store && is_trait(item));
    traits.map(|_| format!("{} defines a trait", source.path)).collect()
}

#[test]
fn no_trait_stands_over_the_store() {
    none(sources(&["src/store"], ".rs").iter().flat_map(traits_over_the_store));
}

fn processes(source: &Source) -> Vec<String> {
    let starts = |line: &&str| line.contains("Command::new(") && !line.contains("clap::");
    let outside = !source.is_in(&["src/private_postgres/"]);
    let lines = source.code().filter(|line| outside && starts(line));
    lines.map(|line| format!("{}: {}", source.path, line.trim())).collect()
}

#[test]
fn only_the_private_postgres_starts_processes() {
    none(sources(&["src"], ".rs").iter().flat_map(processes));
}

/// One noun names the files of a service in every layer.
fn files_of_services(protos: &[&str], files: &BTreeSet<&str>) -> Vec<String> {
    let mut missing = Vec::new();
    for noun in protos.iter().filter_map(|proto| proto.strip_suffix("_service.proto")) {
        let named = |folder: &str, name: &str| {
            files.iter().any(|file| {
                let inside = file.strip_prefix(folder);
                inside.is_some_and(|file| file == name || file.ends_with(&format!("/{name}")))
            })
        };
        for (folder, name) in [
            ("src/grpc/", format!("{noun}_service.rs")),
            ("src/ops/", format!("{noun}s.rs")),
            ("tests/it/", format!("{noun}s.rs")),
        ] {
            if !named(folder, &name) {
                missing.push(format!("{folder}: no {name} for {noun}_service.proto"));
            }
        }
    }
    missing
}

#[test]
fn one_noun_names_a_service_in_every_layer() {
    let protos = sources(&["proto"], ".proto");
    let protos: Vec<&str> =
        protos.iter().map(|proto| proto.path.rsplit('/').next().unwrap()).collect();
    let files = sources(&["src", "tests"], ".rs");
    none(files_of_services(&protos, &files.iter().map(|file| file.path.as_str()).collect()));
}

mod self_test {
    use super::*;

    fn with(path: &str, text: &str) -> Crate {
        let declares = path.trim_start_matches("src/").trim_end_matches("/mod.rs");
        let declares = declares.trim_end_matches(".rs").replace('/', " { pub mod ");
        let braces = "}".repeat(declares.matches('{').count());
        let root = format!(
            "pub mod proto {{}} pub mod store {{ pub struct S; }} pub mod {declares}; {braces}"
        );
        Crate::of(&[Source::new("src/lib.rs", &root), Source::new(path, text)])
    }

    #[test]
    fn an_import_against_the_arrows_is_found_however_it_is_written() {
        for text in [
            "use crate::{store::S};",
            "fn f(_: crate::store::S) {}",
            "use super::store; fn f(_: store::S) {}",
            "fn f() { assert!(g(crate::store::S)) }",
        ] {
            let found = forbidden_imports(&with("src/domain.rs", text).references());
            assert_eq!(found, ["src/domain.rs names store::S"], "{text}");
        }
        assert!(
            forbidden_imports(&with("src/ops.rs", "use crate::store::S;").references()).is_empty()
        );
        assert_eq!(
            forbidden_imports(&with("src/new.rs", "use crate::store::S;").references()).len(),
            1
        );
    }

    #[test]
    fn a_floor_that_names_one_above_is_found() {
        let found = |batch, changes| {
            let krate = Crate::of(&[
                Source::new("src/lib.rs", "mod ops;"),
                Source::new("src/ops/mod.rs", "mod batch; mod changes; mod friends;"),
                Source::new("src/ops/batch/mod.rs", batch),
                Source::new("src/ops/changes/mod.rs", changes),
                Source::new("src/ops/friends.rs", "pub struct Friends;"),
            ]);
            climbing_floors(&krate.references())
        };
        let batch = "pub struct Batch; use super::changes::Change;";
        assert!(found(batch, "pub struct Change;").is_empty());
        let names = "src/ops/changes/mod.rs names ops::batch::Batch of src/ops/batch/mod.rs";
        assert_eq!(found(batch, "pub struct Change; use super::batch::Batch;"), [names]);
        assert_eq!(found("fn f(_: crate::ops::friends::Friends) {}", "").len(), 1);
    }

    #[test]
    fn a_transaction_below_the_operations_is_found() {
        let found =
            |path| transactions_below(&Source::new(path, "db.begin(deadline).await?")).len();
        assert_eq!([found("src/store/users.rs"), found("src/ops/changes/heads.rs")], [1, 1]);
        assert_eq!([found("src/ops/users.rs"), found("src/ops/batch/add_friend.rs")], [0, 0]);
    }

    #[test]
    fn a_path_that_climbs_two_modules_is_found() {
        assert_eq!(climbing(&with("src/ops.rs", "mod a { use super::super::store::S; }")).len(), 1);
    }

    #[test]
    fn grpc_inside_is_found() {
        assert_eq!(grpc_inside(&with("src/ops.rs", "use tonic::Status;")).len(), 1);
        assert_eq!(grpc_inside(&with("src/ops.rs", "fn f(_: crate::proto::User) {}")).len(), 1);
    }

    #[test]
    fn io_in_the_domain_is_found() {
        let found = |text| {
            io_in_domain(&Crate::of(&[
                Source::new("src/lib.rs", "mod domain;"),
                Source::new("src/domain/mod.rs", text),
            ]))
        };
        assert_eq!(found("use std::{fmt, fs};"), ["src/domain/mod.rs names std::fs"]);
        assert_eq!(found("fn f() { std::fs::read(\"a\"); }").len(), 1);
        assert!(found("use std::fmt;").is_empty());
    }

    #[test]
    fn a_trait_over_the_store_is_found() {
        let found = |path| traits_over_the_store(&Source::new(path, "pub trait Users {}")).len();
        assert_eq!([found("src/store/users.rs"), found("src/ops/users.rs")], [1, 0]);
    }

    #[test]
    fn a_process_is_found() {
        assert_eq!(processes(&Source::new("src/a.rs", "let ls = Command::new(\"ls\");")).len(), 1);
    }

    #[test]
    fn a_service_without_a_file_in_a_layer_is_found() {
        let files = ["src/grpc/pet_service.rs", "src/ops/animals/pets.rs"];
        let found = files_of_services(&["pet_service.proto"], &files.into());
        assert_eq!(found, ["tests/it/: no pets.rs for pet_service.proto"]);
    }
}
