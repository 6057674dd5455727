//! Databases that are not needed any more: a test's own when the test ends, and what earlier runs left.
//! A database takes about 10 MB, and there are hundreds of tests.

use std::{
    cell::RefCell,
    sync::{
        OnceLock,
        mpsc::{Sender, channel},
    },
};

use sqlx::{AssertSqlSafe, PgConnection};

use super::{TEMPLATE_PREFIX, admin};

/// The number of the advisory lock under which the databases of ended runs are dropped.
const SWEEPING: i64 = 7_263_418;

/// Names of databases to the thread that drops them.
static DROPPER: OnceLock<Sender<String>> = OnceLock::new();

thread_local! {
    /// The databases made on this thread. Each test has a thread of its own, so they are the test's.
    static OF_THREAD: RefCell<Databases> = const { RefCell::new(Databases(Vec::new())) };
}

struct Databases(Vec<String>);

impl Drop for Databases {
    fn drop(&mut self) {
        if self.0.is_empty() {
            return;
        }
        let dropper = DROPPER.get_or_init(|| {
            let (sender, receiver) = channel();
            std::thread::spawn(move || {
                block_on(async {
                    let mut admin = admin("befriend_dropper").await;
                    for name in receiver {
                        drop_quietly(&mut admin, &format!("{name} with (force)")).await;
                    }
                });
            });
            sender
        });
        for name in self.0.drain(..) {
            // The process may be ending; then the next run drops it.
            let _ = dropper.send(name);
        }
    }
}

/// Drops a database when the current thread ends, that is, with the test that made it.
pub fn at_end_of_thread(name: String) {
    OF_THREAD.with_borrow_mut(|databases| databases.0.push(name));
}

fn block_on(task: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(task);
}

/// Drops the databases of runs that are over, and templates that no run uses.
pub fn of_ended_runs() {
    block_on(async {
        let mut admin = admin("befriend_sweeper").await;
        // One sweeper is enough, and two would get into each other's way.
        if !locked(&mut admin, SWEEPING).await {
            return;
        }
        let databases: Vec<String> = sqlx::query_scalar(
            "select d.datname
             from pg_database d
             where d.datname like 'befriend\\_run\\_%'
               and not exists (
                   select
                   from pg_stat_activity a
                   where a.datname = d.datname
                      or a.application_name = regexp_replace(d.datname, '_[0-9]+$', '')
               )",
        )
        .fetch_all(&mut admin)
        .await
        .expect("the catalog can be read");
        for name in databases {
            drop_quietly(&mut admin, &name).await;
        }
        let templates: Vec<String> =
            sqlx::query_scalar("select datname from pg_database where starts_with(datname, $1)")
                .bind(TEMPLATE_PREFIX)
                .fetch_all(&mut admin)
                .await
                .expect("the catalog can be read");
        for name in templates {
            let hash =
                u64::from_str_radix(&name[TEMPLATE_PREFIX.len()..], 16).map(u64::cast_signed);
            // Users of a template hold its lock together; whoever gets it alone is the last.
            if let Ok(hash) = hash
                && locked(&mut admin, hash).await
            {
                drop_quietly(&mut admin, &name).await;
                let unlocked = sqlx::query("select pg_advisory_unlock($1)").bind(hash);
                unlocked.execute(&mut admin).await.expect("a lock");
            }
        }
    });
}

async fn locked(admin: &mut PgConnection, number: i64) -> bool {
    let lock = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(number);
    lock.fetch_one(admin).await.expect("a lock")
}

/// Somebody may have dropped it, or be looking at it: then it stays for the next run.
async fn drop_quietly(admin: &mut PgConnection, name: &str) {
    let drop = format!("drop database if exists {name}");
    let _ = sqlx::raw_sql(AssertSqlSafe(drop)).execute(admin).await;
}
