//! Where SQL stands, what it is called, and what it does without.

use proc_macro2::TokenTree;
use syn::visit::{self, Visit};

use super::{Source, none, sources};

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

/// How a statement of a migration may begin.
const IN_MIGRATIONS: &[&str] =
    &["create table ", "create index ", "create unique index ", "alter table ", "insert into "];

fn sql_outside(source: &Source) -> Vec<String> {
    let mut culprits = Vec::new();
    for line in source.code().filter(|_| !source.is_in(&["src/store/"])) {
        // The query of a URI.
        let line = line.replace(".query()", "");
        let runs = ["query(", "query_as(", "query_scalar(", "raw_sql(", "AssertSqlSafe"]
            .iter()
            .any(|name| line.contains(name));
        let mut verbs = ["select ", "insert ", "update ", "delete ", "create ", "alter ", "drop "]
            .iter()
            .filter(|verb| line.contains(&format!("\"{verb}")));
        // The role and the database of the private Postgres come before the tables, and what else a new
        // cluster has is dropped before it becomes a template.
        let own = source.path == "src/private_postgres/session.rs"
            && [
                "\"create role befriend ",
                "\"create database befriend ",
                "\"alter database template",
                "\"drop database template",
                "\"drop database postgres\"",
            ]
            .iter()
            .any(|text| line.contains(text));
        if runs || (verbs.next().is_some() && !own) {
            culprits.push(format!("{}: {}", source.path, line.trim()));
        }
    }
    culprits
}

#[test]
fn only_the_store_holds_sql() {
    none(sources(&["src"], ".rs").iter().flat_map(sql_outside));
}

fn words_not_in_sql(source: &Source) -> Vec<String> {
    let mut culprits = Vec::new();
    for line in source.code() {
        // The process's clock, for waiting, and tokio's signals between its tasks.
        let line = line.replace("Instant::now()", "").replace("Notify", "");
        let line = line.replace(".notify_", "").to_lowercase();
        // A column of pg_stat_activity, and not the one of rows.
        let line = line.replace("backend_xmin", "");
        // Leases are of instances, not of users: a small table that no shard divides.
        let leases = source.path == "src/store/outbox_leases.rs";
        let lease_words = ["now()", "for share", "skip locked"];
        for word in NOT_IN_SQL.iter().filter(|word| line.contains(**word)) {
            if !(leases && lease_words.contains(word)) {
                culprits.push(format!("{}: {word}: {}", source.path, line.trim()));
            }
        }
    }
    culprits
}

#[test]
fn sql_does_without_what_does_not_shard_or_hides_what_happens() {
    none(sources(&["src/store"], ".rs").iter().flat_map(words_not_in_sql));
    none(sources(&["migrations"], ".sql").iter().flat_map(words_not_in_sql));
}

/// A statement begins with `-- <file>.<name>`, so that the log of Postgres leads to its file.
fn misnamed_statements(source: &Source) -> Vec<String> {
    struct Statements(Vec<String>);

    impl Visit<'_> for Statements {
        fn visit_macro(&mut self, call: &syn::Macro) {
            if call.path.is_ident("statements") {
                for token in call.tokens.clone() {
                    if let TokenTree::Literal(literal) = token
                        && let syn::Lit::Str(sql) = syn::Lit::new(literal)
                    {
                        self.0.push(sql.value());
                    }
                }
            }
            visit::visit_macro(self, call);
        }
    }

    let path = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
    let begins = format!("-- {}.", path.rsplit('/').next().unwrap());
    let mut statements = Statements(Vec::new());
    statements.visit_file(&source.syntax());
    let first_lines = statements.0.iter().map(|sql| sql.lines().next().unwrap_or_default());
    first_lines
        .filter(|line| !line.starts_with(&begins))
        .map(|line| format!("{}: {line:?} does not begin with {begins:?}", source.path))
        .collect()
}

#[test]
fn every_statement_is_called_after_its_file() {
    none(sources(&["src/store"], ".rs").iter().flat_map(misnamed_statements));
}

fn statements_not_for_migrations(source: &Source) -> Vec<String> {
    let sql: String = source.code().map(|line| format!("{} ", line.trim())).collect();
    let statements = sql.split(';').map(str::trim).filter(|statement| !statement.is_empty());
    let mut culprits: Vec<String> = statements
        .filter(|statement| !IN_MIGRATIONS.iter().any(|begins| statement.starts_with(begins)))
        .map(|statement| format!("{}: {statement}", source.path))
        .collect();
    let concurrent = sql.contains(" index concurrently ");
    if concurrent != source.text.starts_with("-- no-transaction\n") {
        culprits.push(format!(
            "{}: `-- no-transaction` is the first line where an index is made concurrently",
            source.path
        ));
    }
    culprits
}

#[test]
fn migrations_only_add_tables_indexes_columns_constraints_and_rows() {
    none(sources(&["migrations"], ".sql").iter().flat_map(statements_not_for_migrations));
}

mod self_test {
    use super::*;

    #[test]
    fn sql_outside_the_store_is_found() {
        let found = |path, text| sql_outside(&Source::new(path, text)).len();
        assert_eq!(found("src/ops/a.rs", "let sql = \"select 1\";"), 1);
        assert_eq!(found("src/ops/a.rs", "sqlx::query(TEXT)"), 1);
        assert_eq!(found("src/ops/a.rs", "// \"select 1\"\nuri.query()"), 0);
        assert_eq!(found("src/store/a.rs", "sqlx::query(\"select 1\")"), 0);
        let session = |text| found("src/private_postgres/session.rs", text);
        assert_eq!(session("(\"create role befriend login createdb\", EXISTS)"), 0);
        assert_eq!(session("(\"create role other login createdb\", EXISTS)"), 1);
    }

    #[test]
    fn a_word_that_sql_does_without_is_found() {
        let found = |path, text| words_not_in_sql(&Source::new(path, text)).len();
        assert_eq!(found("src/store/users.rs", "select NOW()"), 1);
        assert_eq!(found("src/store/outbox_leases.rs", "select now()"), 0);
        assert_eq!(found("src/store/outbox_leases.rs", "select * from relays"), 1);
    }

    #[test]
    fn a_statement_with_the_name_of_another_file_is_found() {
        let text = r#"statements! { /// One.
            A = "-- pets.one\nselect 1"; B = "select 2"; C = "-- owners.three\nselect 3"; }"#;
        let found = |path| misnamed_statements(&Source::new(path, text)).len();
        assert_eq!(found("src/store/pets.rs"), 2);
        assert_eq!(found("src/store/owners/mod.rs"), 2);
        assert_eq!(found("src/store/dogs.rs"), 3);
    }

    #[test]
    fn a_migration_that_does_something_else_is_found() {
        let found =
            |text| statements_not_for_migrations(&Source::new("migrations/1.sql", text)).len();
        assert_eq!(found("-- Pets.\ncreate table pets ();\ncreate index on pets (a);"), 0);
        assert_eq!(found("-- Pets.\ncreate table pets ();\ndrop table owners;"), 1);
        assert_eq!(found("-- By name.\ncreate index concurrently a on pets (name);"), 1);
        assert_eq!(found("-- no-transaction\ncreate index concurrently a on pets (name);"), 0);
    }
}
