//! Upgrades: instances of a version serve on, and start, on the schema of a later one.

use befriend::{clock::Clock, proto, server::upkeep, store};
use sqlx::{Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;

use crate::support::{Tenant, TestApp, binary, invariants, postgres};

/// What the migrations of a later version may do at the most, to every table: a column that may be null, one with
/// a default, an index. And a table of its own.
const LATER: &str = "do $$
declare name text;
begin
    for name in
        select c.relname from pg_class c
        where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
          and not c.relispartition and c.relname <> '_sqlx_migrations'
    loop
        execute format('alter table %I add column later text', name);
        execute format('alter table %I add column later_count integer not null default 7', name);
        execute format('create index on %I (later)', name);
    end loop;
    create table later (name text primary key);
    insert into _sqlx_migrations (version, description, success, checksum, execution_time)
    values (9999, 'later', true, '', 0);
end $$";

/// Uses every table, with names that begin with `prefix`, and looks that the lists are right.
async fn use_everything(app: &TestApp, tenant: &Tenant, prefix: &str) {
    let names = ["a", "b", "c", "d"].map(|name| format!("{prefix}-{name}"));
    let [a, b, c, d] = names.each_ref().map(String::as_str);
    tenant.create(&[a, b, c, d]).await;
    tenant.befriend(a, b).await.unwrap();
    tenant.remark(a, b, "a remark").await.unwrap();
    tenant.ask(c, a, "it's me").await.unwrap();
    tenant.accept(c, a).await.unwrap();
    tenant.befriend(a, d).await.unwrap();
    tenant.unfriend(a, d).await.unwrap();
    tenant.block(b, &[c]).await.unwrap();
    assert_eq!(tenant.friends_of(a).await.unwrap(), [b, c]);
    assert_eq!(tenant.blocked_by(b).await.unwrap(), [c]);
    assert_eq!(tenant.entry(a, b).await.unwrap().remark, "a remark");
    tenant.delete(d).await.unwrap();
    app.operator(&format!("{prefix}-operator"), proto::OperatorRole::Support).await;
    app.keep_events(tenant).await;
    upkeep::round(&app.core).await;
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn an_instance_serves_on_and_another_starts_on_the_schema_of_a_later_version() {
    let url = postgres::fresh_database().await;
    let running = TestApp::between(&url, &url, &[], Clock::system()).await;
    let tenant = running.tenant("acme#chat").await;
    use_everything(&running, &tenant, "before").await;
    let mut owner = PgConnection::connect(&url).await.unwrap();
    owner.execute(LATER).await.unwrap();

    // With statements that were prepared before.
    use_everything(&running, &tenant, "running").await;
    store::migrate(&url).await.expect("an instance starts again");
    let started = TestApp::between(&url, &url, &[], Clock::system()).await;
    let other = started.tenant("other#chat").await;
    use_everything(&started, &other, "started").await;

    let folder = TempDir::new().unwrap();
    let path = folder.path().to_str().unwrap();
    for arguments in
        [&["export", "acme#chat", "--out", path][..], &["import", "files", "other#chat", path]]
    {
        let ran = binary::run(&[arguments, &["--database-url", &url]].concat());
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
    assert_eq!(other.friends_of("before-a").await.unwrap(), ["before-b", "before-c"]);
}
