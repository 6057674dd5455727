//! Every statement of the service, as Postgres understands it on the migrated schema.

use std::{collections::BTreeSet, env, fmt::Write as _, fs};

use befriend::store;
use sqlx::{
    AssertSqlSafe, Column as _, Connection as _, Either, Executor as _, PgConnection,
    SqlSafeStr as _, Statement as _, TypeInfo as _,
};

use crate::support::postgres;

/// The types of all statements: "name(parameters) -> columns".
const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/statements.golden");

#[test]
fn every_statement_begins_with_its_name_and_no_two_share_one() {
    let mut seen = BTreeSet::new();
    for statement in store::all_statements() {
        let name = name_of(statement);
        assert!(seen.insert(name), "two statements are called {name}");
    }
    assert!(seen.len() > 40, "the list holds {} statements only", seen.len());
}

#[tokio::test]
async fn every_statement_takes_and_returns_the_types_it_is_known_for() {
    let url = postgres::fresh_database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let mut types = String::new();
    for sql in store::all_statements() {
        let name = name_of(sql);
        // Later ones go over them.
        if ["create temporary table", "declare "].iter().any(|part| sql.contains(part)) {
            connection.execute(sql).await.unwrap();
        }
        let prepared = connection.prepare(AssertSqlSafe(sql).into_sql_str()).await;
        let prepared = prepared.unwrap_or_else(|error| panic!("{name}: {error}"));
        let parameters = match prepared.parameters() {
            Some(Either::Left(types)) => types.iter().map(|t| t.name().to_owned()).collect(),
            _ => Vec::new(),
        };
        let columns: Vec<String> = prepared
            .columns()
            .iter()
            .map(|column| format!("{} {}", column.name(), column.type_info().name()))
            .collect();
        writeln!(types, "{name}({}) -> {}", parameters.join(", "), columns.join(", ")).unwrap();
    }
    let types: String =
        types.lines().map(|line| format!("{}\n", line.trim_end_matches(" -> "))).collect();
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(GOLDEN, &types).unwrap();
    }
    let golden = fs::read_to_string(GOLDEN).unwrap_or_default();
    let changes: Vec<String> = golden
        .lines()
        .filter(|line| !types.lines().any(|other| other == *line))
        .map(|line| format!("- {line}"))
        .chain(
            types
                .lines()
                .filter(|line| !golden.lines().any(|other| other == *line))
                .map(|line| format!("+ {line}")),
        )
        .collect();
    assert!(
        types == golden,
        "the statements' types are not those of {GOLDEN}:\n{}\nWhen the change is meant: \
         UPDATE_GOLDEN=1 cargo test --test it statements",
        changes.join("\n")
    );
}

/// "friends.page" of a statement whose first line is "-- friends.page".
#[track_caller]
fn name_of(statement: &str) -> &str {
    let first = statement.lines().next().unwrap_or_default();
    let name = first.strip_prefix("-- ").unwrap_or_default();
    let (table, what) = name.split_once('.').unwrap_or_default();
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    assert!(word(table) && word(what), "the first line is no name: {first:?} of {statement}");
    name
}
