//! The house rules that a compiler does not keep: who may import whom, where SQL stands and what it
//! does without, and what no file may hold.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Each module and the modules of this crate that it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("outbox_signals", &[]),
    ("private_postgres", &[]),
    ("store", &["domain"]),
    ("page_token", &["domain"]),
    ("ops", &["clock", "domain", "outbox_signals", "store"]),
    ("transfer", &["domain", "ops"]),
    ("pull", &["clock", "domain", "transfer"]),
    ("delivery", &["clock", "domain", "outbox_signals", "store"]),
    ("gate", &["domain", "ops"]),
    // To try a callback rule out is to deliver, once.
    ("grpc", &["delivery", "domain", "gate", "ops", "page_token", "proto"]),
    ("http", &["clock", "domain", "gate", "ops", "page_token"]),
    ("config", &["delivery", "domain", "gate", "http", "ops", "store"]),
    ("telemetry", &["config"]),
    (
        "server",
        &["clock", "config", "delivery", "domain", "gate", "grpc", "http", "ops", "proto", "store"],
    ),
    (
        "cli",
        &[
            "clock",
            "config",
            "delivery",
            "domain",
            "private_postgres",
            "ops",
            "server",
            "store",
            "telemetry",
            "transfer",
            "pull",
        ],
    ),
    ("lib", &[]),
    ("main", &[]),
];

/// What SQL does without: each of these failed, or silently meant something else, on a sharded or a
/// compatible database, or hides what happens from the reader of a statement.
const NOT_IN_SQL: &[&str] = &[
    "create domain",
    "create function",
    "create rule",
    "create sequence",
    "ctid",
    "current_timestamp",
    "for share",
    "gen_random_uuid",
    "ilike",
    " like ",
    "merge into",
    "notify",
    "now()",
    "pg_advisory",
    "random()",
    "repeatable read",
    "select *",
    "serial",
    "serializable",
    "similar to",
    "skip locked",
    "trigger",
    "xmin",
];

/// What no file holds, neither ours nor the tests'.
const NOWHERE: &[&str] =
    &["#[allow", "#![allow", "todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX", "HACK"];

/// The longest file, in lines.
const LONGEST: usize = 500;

/// The one place of the tests that waits by the clock, for processes that have no other signal.
const POLLING: &str = "tests/it/support/process.rs";

struct Source {
    /// Relative to the checkout, as "src/ops/friends.rs".
    path: String,
    text: String,
}

impl Source {
    /// The lines of code, without those that are comments.
    fn code(&self) -> impl Iterator<Item = &str> {
        self.text.lines().filter(|line| {
            let line = line.trim_start();
            !line.starts_with("//") && !line.starts_with("--")
        })
    }

    /// "ops" of "src/ops/friends.rs", "cli" of "src/cli.rs".
    fn module(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split('/').next().unwrap().trim_end_matches(".rs")
    }

    fn is_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

/// All files below these folders whose names end so, sorted.
fn sources(folders: &[&str], ending: &str) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&Path::new(ROOT).join(folder), &mut paths);
    }
    paths.retain(|path| path.to_str().unwrap().ends_with(ending));
    paths.sort();
    assert!(!paths.is_empty(), "no files below {folders:?}");
    paths
        .into_iter()
        .map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            path: path.strip_prefix(ROOT).unwrap().to_str().unwrap().to_owned(),
        })
        .collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, paths) } else { paths.push(path) }
    }
}

#[track_caller]
fn none(culprits: &[String]) {
    assert!(culprits.is_empty(), "\n{}", culprits.join("\n"));
}

/// Everything that is named right after "crate::", also in braces.
fn imported(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let Some(list) = after.strip_prefix('{') else {
            names.insert(identifier(after));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (at, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => begins = true,
                c if begins && (c.is_alphanumeric() || c == '_') => {
                    names.insert(identifier(&list[at..]));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn imports_go_one_way_only() {
    let mut culprits = Vec::new();
    for source in sources(&["src"], ".rs") {
        let module = source.module();
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == module);
        let (_, allowed) =
            allowed.unwrap_or_else(|| panic!("what may {module} import? Say it in MAY_IMPORT"));
        let code: Vec<&str> = source.code().collect();
        let code = code.join("\n");
        for name in imported(&code) {
            if name != module && !allowed.contains(&name.as_str()) {
                culprits.push(format!("{} imports {name}", source.path));
            }
        }
        // It would lead around the rule.
        if code.contains("super::super") {
            culprits.push(format!("{} names super::super", source.path));
        }
    }
    none(&culprits);
}

#[test]
fn only_the_edge_names_grpc() {
    let edge = ["src/grpc/", "src/server/", "src/cli/", "src/lib.rs"];
    let inside = sources(&["src"], ".rs").into_iter().filter(|source| !source.is_in(&edge));
    none(
        &inside
            .filter(|source| {
                source.code().any(|line| line.contains("tonic") || line.contains("proto::"))
            })
            .map(|source| source.path)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn only_the_store_holds_sql() {
    let mut culprits = Vec::new();
    for source in sources(&["src"], ".rs") {
        if source.is_in(&["src/store/"]) {
            continue;
        }
        for line in source.code() {
            // The query of a URI.
            let line = line.replace(".query()", "");
            let runs = ["query(", "query_as(", "query_scalar(", "raw_sql(", "AssertSqlSafe"]
                .iter()
                .any(|name| line.contains(name));
            let mut verbs =
                ["select ", "insert ", "update ", "delete ", "create ", "alter ", "drop "]
                    .iter()
                    .filter(|verb| line.contains(&format!("\"{verb}")));
            // The private Postgres' own role and database are no business of the store's.
            let own = source.path == "src/private_postgres/session.rs"
                && ["\"create role ", "\"create database "].iter().any(|text| line.contains(text));
            if runs || (verbs.next().is_some() && !own) {
                culprits.push(format!("{}: {}", source.path, line.trim()));
            }
        }
    }
    none(&culprits);
}

#[test]
fn only_the_private_postgres_starts_processes() {
    let others =
        sources(&["src"], ".rs").into_iter().filter(|s| !s.is_in(&["src/private_postgres/"]));
    none(
        &others
            .filter(|source| {
                source.code().any(|line| line.contains("Command::new(") && !line.contains("clap::"))
            })
            .map(|source| source.path)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn sql_does_without_what_does_not_shard_or_hides_what_happens() {
    let mut culprits = Vec::new();
    let sql = sources(&["src/store"], ".rs").into_iter().chain(sources(&["migrations"], ".sql"));
    for source in sql {
        for line in source.code() {
            // The clock of the waits, not that of the rows.
            let line = line.replace("Instant::now()", "").to_lowercase();
            // Leases are of instances, not of users: a small table that no shard divides.
            let leases = source.path == "src/store/outbox_leases.rs";
            let lease_words = ["now()", "for share", "skip locked"];
            for word in NOT_IN_SQL.iter().filter(|word| line.contains(**word)) {
                if leases && lease_words.contains(word) {
                    continue;
                }
                culprits.push(format!("{}: {word}: {}", source.path, line.trim()));
            }
        }
    }
    none(&culprits);
}

#[test]
fn every_file_says_at_its_top_what_it_is_for() {
    let all = sources(&["src", "tests"], ".rs");
    none(
        &all.into_iter()
            .filter(|source| {
                let first = source.text.lines().next().unwrap_or_default();
                first.strip_prefix("//! ").is_none_or(|line| line.len() <= 10)
            })
            .map(|source| source.path)
            .collect::<Vec<_>>(),
    );
}

#[test]
fn every_file_can_be_read_in_one_sitting() {
    let all = sources(&["src", "tests"], ".rs");
    none(
        &all.iter()
            .map(|source| (source, source.text.lines().count()))
            .filter(|(_, lines)| *lines >= LONGEST)
            .map(|(source, lines)| format!("{} has {lines} lines", source.path))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn nothing_is_left_to_do_and_no_lint_is_silenced_without_a_word() {
    let mut culprits = Vec::new();
    for source in sources(&["src", "tests", "proto/befriend", "migrations"], "") {
        if source.path.ends_with("tests/it/tidy.rs") {
            continue;
        }
        for (number, line) in (1..).zip(source.text.lines()) {
            for mark in NOWHERE.iter().filter(|mark| line.contains(**mark)) {
                culprits.push(format!("{}:{number}: {mark}", source.path));
            }
        }
    }
    none(&culprits);
}

#[test]
fn no_test_waits_by_the_clock() {
    let mut culprits = Vec::new();
    for source in sources(&["tests"], ".rs") {
        if [POLLING, "tests/it/tidy.rs"].contains(&source.path.as_str()) {
            continue;
        }
        if source.code().any(|line| line.contains("sleep(") || line.contains("sleep_until(")) {
            culprits.push(source.path);
        }
    }
    none(&culprits);
}
