//! The migrated schema keeps the rules that let it be sharded by owner and read by index; and the
//! migrations can be repeated, raced and failed.

use std::{fs, path::PathBuf, time::Duration};

use befriend::store;
use sqlx::{Connection as _, PgConnection};

use crate::support::postgres;

/// What a second migration may take when nothing holds it up.
const SOON: Duration = Duration::from_secs(20);

async fn migrated() -> PgConnection {
    PgConnection::connect(&postgres::fresh_database().await).await.unwrap()
}

/// Nothing comes back from a query for what breaks a rule.
async fn nothing(query: &'static str) {
    let found: Vec<String> =
        sqlx::query_scalar(query).fetch_all(&mut migrated().await).await.unwrap();
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn every_key_of_a_per_user_table_begins_with_the_owner() {
    nothing(
        "select format('%s of %s', c.conname, c.conrelid::regclass)
         from pg_constraint c
         join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
         where c.conrelid in ('friends'::regclass, 'blocks'::regclass, 'blocked_by'::regclass,
                              'friend_requests'::regclass, 'outbox'::regclass)
           and c.contype in ('p', 'u', 'f', 'x')
           and a.attname <> 'owner_key'",
    )
    .await;
    nothing(
        "select format('%s of %s', i.indexrelid::regclass, i.indrelid::regclass)
         from pg_index i
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
         where i.indrelid in ('friends'::regclass, 'blocks'::regclass, 'blocked_by'::regclass)
           and a.attname <> 'owner_key'
           -- Those by which the background finds old tombstones of everybody, and a leaving user who
           -- keeps a remark on them.
           and i.indexrelid::regclass::text not in ('friends_tombstones', 'blocks_tombstones',
                                                    'friends_kept_remarks')",
    )
    .await;
}

#[tokio::test]
async fn no_foreign_key_points_at_another_user() {
    nothing(
        "select conname::text
         from pg_constraint
         where contype = 'f'
           and confrelid = 'users'::regclass
           and conkey <> array[(
               select attnum
               from pg_attribute
               where attrelid = conrelid
                 and attname = 'owner_key'
           )]",
    )
    .await;
}

#[tokio::test]
async fn the_database_does_nothing_of_its_own_accord() {
    nothing(
        "select format('trigger %s', tgname) from pg_trigger where not tgisinternal
         union all
         select format('rule %s', rulename) from pg_rules where schemaname = 'public'
         union all
         select format('sequence %s', relname)
         from pg_class
         where relkind = 'S' and relnamespace = 'public'::regnamespace
         union all
         select format('function %s', proname)
         from pg_proc
         where pronamespace = 'public'::regnamespace
         union all
         select format('domain or enum %s', typname)
         from pg_type
         where typtype in ('d', 'e') and typnamespace = 'public'::regnamespace
         union all
         select format('generated column %s.%s', table_name, column_name)
         from information_schema.columns
         where table_schema = 'public'
           and table_name <> '_sqlx_migrations'
           and (is_identity = 'YES' or is_generated <> 'NEVER' or column_default like '%(%')",
    )
    .await;
}

#[tokio::test]
async fn every_column_has_a_type_that_keeps_what_it_is_given() {
    // Times know their zone; texts have their length in a constraint; numbers are exact.
    nothing(
        "select format('%s.%s %s', table_name, column_name, data_type)
         from information_schema.columns
         where table_schema = 'public'
           and table_name <> '_sqlx_migrations'
           and data_type not in ('uuid', 'text', 'boolean', 'integer', 'bigint', 'bytea',
                                 'timestamp with time zone')
           -- A partition of the outbox is a byte; the types that a rule wants are few and closed.
           and (column_name, data_type) not in (('partition', 'smallint'), ('event_types', 'ARRAY'))",
    )
    .await;
}

#[tokio::test]
async fn every_text_in_an_index_sorts_by_bytes() {
    nothing(
        "select format('%s.%s', a.attrelid::regclass, a.attname)
         from pg_index i
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
         join pg_class t on t.oid = i.indrelid
         where t.relnamespace = 'public'::regnamespace
           and a.atttypid = 'text'::regtype
           and a.attcollation <> 'pg_catalog.\"C\"'::regcollation
           -- Included columns are carried, not sorted by.
           and a.attnum = any(i.indkey[0:i.indnkeyatts - 1])",
    )
    .await;
}

#[tokio::test]
async fn every_constraint_has_a_name_that_somebody_gave_it() {
    // A sentence, or the table's primary key. Since Postgres 18 'n' is a column's not null.
    nothing(
        "select format('%s of %s', conname, conrelid::regclass)
         from pg_constraint
         where connamespace = 'public'::regnamespace
           and conrelid <> '_sqlx_migrations'::regclass
           and contype <> 'n'
           and conname not like '% %'
           and not (contype = 'p' and conname = conrelid::regclass::text || '_pkey')",
    )
    .await;
}

#[tokio::test]
async fn every_foreign_key_is_the_beginning_of_an_index() {
    nothing(
        "select format('%s of %s', c.conname, c.conrelid::regclass)
         from pg_constraint c
         where c.contype = 'f'
           and not exists (
               select
               from pg_index i
               where i.indrelid = c.conrelid
                 and i.indpred is null
                 and (i.indkey::smallint[])[0:cardinality(c.conkey) - 1] = c.conkey
           )",
    )
    .await;
}

#[tokio::test]
async fn counting_touches_no_index_and_finds_room_on_the_page() {
    nothing(
        "select format('users.%s is indexed', a.attname)
         from pg_index i
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
         where i.indrelid = 'users'::regclass
           and a.attname in ('friend_count', 'block_count', 'version')
         union all
         select 'users has no fillfactor of 80'
         from pg_class
         where oid = 'users'::regclass
           and not coalesce(reloptions, '{}') @> array['fillfactor=80']",
    )
    .await;
}

#[test]
fn every_migration_is_one_statement_or_a_new_table_with_its_indexes() {
    let mut files: Vec<PathBuf> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    for (number, file) in (1..).zip(&files) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with(&format!("{number:04}_")), "{name} is not the {number}th");
        let text = fs::read_to_string(file).unwrap();
        assert!(text.starts_with("-- "), "{name} does not say what it is for");
        let sql: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("--"))
            .collect::<Vec<_>>()
            .join(" ");
        let statements: Vec<String> = sql
            .split(';')
            .map(|statement| statement.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|statement| !statement.is_empty())
            .collect();
        let Some(table) = statements[0].strip_prefix("create table ") else {
            assert_eq!(statements.len(), 1, "{name}");
            continue;
        };
        let on_it = format!(" on {} ", table.split(' ').next().unwrap());
        for index in &statements[1..] {
            let is_index =
                index.starts_with("create index ") || index.starts_with("create unique index ");
            assert!(is_index && index.contains(&on_it), "{name}: {index}");
        }
    }
}

/// What the catalog says, and when each migration ran.
async fn snapshot(url: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::query_scalar(
        "select format('%s %s %s', table_name, column_name, data_type)
         from information_schema.columns
         where table_schema = 'public'
         union all
         select format('%s %s', version, installed_on) from _sqlx_migrations
         union all
         select indexdef from pg_indexes where schemaname = 'public'
         order by 1",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_second_migration_changes_nothing() {
    let url = postgres::empty_database().await;
    store::migrate(&url).await.unwrap();
    let before = snapshot(&url).await;
    store::migrate(&url).await.unwrap();
    assert_eq!(snapshot(&url).await, before);
    store::require_current(&url).await.unwrap();
}

#[tokio::test]
async fn instances_that_migrate_at_once_all_find_the_schema_ready() {
    let url = postgres::empty_database().await;
    let migrate = || store::migrate(&url);
    let (a, b, c, d) = tokio::join!(migrate(), migrate(), migrate(), migrate());
    for migrated in [a, b, c, d] {
        migrated.unwrap();
    }
    store::require_current(&url).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_holds_nobody_up_and_can_be_repeated() {
    let url = postgres::empty_database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    // In the way of an index of the second table, so that the first table is there already.
    sqlx::query("create table tokens_by_expiry (x integer)")
        .execute(&mut connection)
        .await
        .unwrap();
    for _ in 0..2 {
        let failed = tokio::time::timeout(SOON, store::migrate(&url)).await;
        let failed = failed.expect("it waits for a lock that nobody needs").unwrap_err();
        assert!(failed.to_string().contains("tokens_by_expiry"), "{failed}");
    }
    let behind = store::require_current(&url).await.unwrap_err();
    assert!(behind.to_string().contains("the schema is at version 1"), "{behind}");
    sqlx::query("drop table tokens_by_expiry").execute(&mut connection).await.unwrap();
    tokio::time::timeout(SOON, store::migrate(&url)).await.unwrap().unwrap();
    store::require_current(&url).await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_as_it_is() {
    let url = postgres::fresh_database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of the future', true, '', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    store::migrate(&url).await.expect("an instance of before the upgrade starts again");
    store::require_current(&url).await.expect("a newer schema serves the older version too");
}
