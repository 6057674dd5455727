//! One Postgres a run, one migrated template, a database a test.
//!
//! Which Postgres: `TEST_DATABASE_URL` if set, else a private one from the installed binaries, else
//! a container. `TEST_POSTGRES=url|local|docker` forces one. The server is shared by all tests of a
//! process, and the private one by all processes that run tests at the same time.

use std::{
    env,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    str::FromStr as _,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use befriend::{
    embedded::{EmbeddedPostgres, Settings},
    store,
};
use nix::unistd::geteuid;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions,
};

/// The server that this process uses, and what keeps it alive.
enum Server {
    Given(String),
    Private(EmbeddedPostgres),
    #[cfg(feature = "docker-tests")]
    Container {
        url: String,
    },
}

static SERVER: OnceLock<Server> = OnceLock::new();
static TEMPLATE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

impl Server {
    fn choose() -> Self {
        let wanted = env::var("TEST_POSTGRES").ok();
        let url = env::var("TEST_DATABASE_URL").ok();
        match (wanted.as_deref(), url) {
            (None | Some("url"), Some(url)) => Self::Given(url),
            (Some("url"), None) => panic!("TEST_POSTGRES=url needs TEST_DATABASE_URL"),
            (Some("local"), _) => Self::private().unwrap_or_else(|why| panic!("{why}")),
            (Some("docker"), _) => Self::container().unwrap_or_else(|why| panic!("{why}")),
            (None, None) => Self::private().unwrap_or_else(|no_private| {
                Self::container().unwrap_or_else(|no_container| {
                    panic!(
                        "the tests need a Postgres, and there is none. One of:\n\
                         - set TEST_DATABASE_URL to a server where databases may be created;\n\
                         - install Postgres 15 or newer ({no_private});\n\
                         - run Docker and `cargo test --features docker-tests` ({no_container})"
                    )
                })
            }),
            (Some(other), _) => {
                panic!("TEST_POSTGRES is {other:?}; it can be url, local or docker")
            }
        }
    }

    fn private() -> Result<Self, String> {
        let settings = Settings {
            // Not below the checkout: an unprivileged user must be able to enter every folder.
            data_dir: format!("/var/tmp/befriend-tests-{}", geteuid()).into(),
            database: "befriend".to_owned(),
            start_timeout: Duration::from_secs(60),
            fsync: false,
            max_connections: 500,
        };
        EmbeddedPostgres::start(&settings).map(Self::Private).map_err(|error| error.to_string())
    }

    #[cfg(not(feature = "docker-tests"))]
    fn container() -> Result<Self, String> {
        Err("the feature docker-tests is off".to_owned())
    }

    #[cfg(feature = "docker-tests")]
    fn container() -> Result<Self, String> {
        super::container::start().map(|url| Self::Container { url })
    }

    fn url(&self) -> &str {
        match self {
            Self::Given(url) => url,
            Self::Private(server) => server.url(),
            #[cfg(feature = "docker-tests")]
            Self::Container { url } => url,
        }
    }
}

fn server() -> &'static Server {
    SERVER.get_or_init(Server::choose)
}

async fn admin() -> PgConnection {
    let server = tokio::task::spawn_blocking(server).await.expect("the server starts");
    PgConnectOptions::from_str(server.url())
        .expect("the server has a URL")
        .connect()
        .await
        .expect("the server takes connections")
}

/// The URL of a database of that name on the same server.
fn url_of(database: &str) -> String {
    let base = server().url();
    let (front, options) = base.split_once('?').map_or((base, ""), |(front, opts)| (front, opts));
    let host = front.rsplit_once('/').expect("a URL names a database").0;
    let question = if options.is_empty() { "" } else { "?" };
    format!("{host}/{database}{question}{options}")
}

/// A new, migrated database of its own; returns its URL.
pub async fn fresh_database() -> String {
    let template = TEMPLATE.get_or_init(template).await;
    database(&format!("template {template} strategy file_copy")).await
}

/// A new, empty database; returns its URL.
pub async fn empty_database() -> String {
    database("").await
}

async fn database(options: &str) -> String {
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("befriend_test_{}_{number}", std::process::id());
    let mut admin = admin().await;
    run(&mut admin, format!("drop database if exists {name} (force)")).await;
    run(&mut admin, format!("create database {name} {options}")).await;
    url_of(&name)
}

async fn run(admin: &mut PgConnection, sql: String) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(admin).await;
    done.expect("the server lets us make databases");
}

/// The template, named by the migrations' contents and made once: under another name first, so that
/// nobody sees it half-made.
async fn template() -> String {
    let mut hasher = DefaultHasher::new();
    let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .expect("there are migrations")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    for file in files {
        std::fs::read(file).expect("a migration can be read").hash(&mut hasher);
    }
    let name = format!("befriend_template_{:016x}", hasher.finish());
    let mut admin = admin().await;
    remove_old(&mut admin, &name).await;
    // Several processes may want the template at once: an advisory lock lets one make it.
    sqlx::query("select pg_advisory_lock(7263417)").execute(&mut admin).await.expect("a lock");
    let there: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(&name)
            .fetch_one(&mut admin)
            .await
            .expect("the catalog can be read");
    if !there {
        let raw = format!("{name}_raw");
        run(&mut admin, format!("drop database if exists {raw} (force)")).await;
        run(&mut admin, format!("create database {raw}")).await;
        store::migrate(&url_of(&raw)).await.expect("the migrations run");
        run(&mut admin, format!("alter database {raw} rename to {name}")).await;
    }
    admin.close().await.expect("the lock is given back");
    name
}

/// Drops the databases of processes that are gone. One in use stays: dropping it fails.
async fn remove_old(admin: &mut PgConnection, template: &str) {
    let names: Vec<String> = sqlx::query_scalar(
        "select datname from pg_database d
         where (datname like 'befriend\\_test\\_%' or datname like 'befriend\\_template\\_%')
           and datname <> $1
           and not exists (select from pg_stat_activity a where a.datname = d.datname)",
    )
    .bind(template)
    .fetch_all(&mut *admin)
    .await
    .expect("the catalog can be read");
    for name in names {
        let pid = name.strip_prefix("befriend_test_").and_then(|rest| rest.split('_').next());
        let alive = pid.and_then(|pid| pid.parse().ok()).is_some_and(|pid| {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None).is_ok()
        });
        if !alive && pid.is_some() {
            let drop = format!("drop database if exists {name}");
            let _ = sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *admin).await;
        }
    }
}
