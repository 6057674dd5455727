//! One Postgres a run, one migrated template, a database a test.
//!
//! Which Postgres: `TEST_DATABASE_URL` if set, else a private one from the installed binaries, else
//! a container. `TEST_POSTGRES=url|local|docker` forces one. The server is shared by all tests of a
//! process, and the private one by all processes that run tests at the same time.

mod removal;

use std::{
    env,
    hash::{BuildHasher as _, DefaultHasher, Hash, Hasher as _, RandomState},
    str::FromStr as _,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use befriend::{
    private_postgres::{Life, PrivatePostgres, Settings},
    store,
};
use nix::unistd::geteuid;
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, postgres::PgConnectOptions,
};

/// The server that this process uses, and what keeps it alive.
enum Server {
    Given(String),
    Private(PrivatePostgres),
    #[cfg(feature = "docker-tests")]
    Container {
        url: String,
    },
}

static SERVER: OnceLock<Server> = OnceLock::new();
static RUN: tokio::sync::OnceCell<Run> = tokio::sync::OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

const TEMPLATE_PREFIX: &str = "befriend_template_";

/// The number of the advisory lock under which a template is made.
const MAKING: i64 = 7_263_417;

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
        // Data can be read by its own major version only: other programs, another folder.
        let programs = env::var_os("PG_BIN_DIR").map(|folder| format!("-{:016x}", hash(&folder)));
        let data_dir =
            format!("/var/tmp/befriend-tests-{}{}", geteuid(), programs.unwrap_or_default());
        let settings = Settings {
            // Not below the checkout: an unprivileged user must be able to enter every folder.
            data_dir: data_dir.into(),
            start_timeout: Duration::from_secs(60),
            fsync: false,
            max_connections: 500,
            life: Life::Kept,
        };
        PrivatePostgres::start(&settings).map(Self::Private).map_err(|error| error.to_string())
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

async fn admin(application_name: &str) -> PgConnection {
    let server = tokio::task::spawn_blocking(server).await.expect("the server starts");
    PgConnectOptions::from_str(server.url())
        .expect("the server has a URL")
        .application_name(application_name)
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
    let template = &run().await.template;
    database(&format!("template {template} strategy file_copy")).await
}

/// A new, empty database; returns its URL.
pub async fn empty_database() -> String {
    database("").await
}

/// A new, empty database that was made with these options; returns its URL.
pub async fn database_with(options: &str) -> String {
    database(options).await
}

/// Makes a role that may log in and owns nothing. Returns its name, and the URL of the database with it.
/// The role stays in the server: it may own nothing, and a role costs a row.
pub async fn plain_role(database_url: &str) -> (String, String) {
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let role = format!("{}_role_{number}", run().await.name);
    execute(&mut superuser().await, format!("create role {role} login password 'plain'")).await;
    let (scheme, rest) = database_url.split_once("://").expect("a URL");
    let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
    (role.clone(), format!("{scheme}://{role}:plain@{rest}"))
}

/// Lets such a role have so many connections.
pub async fn limit_connections(role: &str, count: u32) {
    execute(&mut superuser().await, format!("alter role {role} connection limit {count}")).await;
}

/// Ends all sessions of clients in a database. The server's own processes there, such as an autovacuum worker,
/// go on: only a superuser may end them.
pub async fn end_sessions(database_url: &str) {
    let mut own = PgConnection::connect(database_url).await.expect("the database");
    let end = "select pg_terminate_backend(pid) from pg_stat_activity
               where datname = current_database() and pid <> pg_backend_pid()
                 and backend_type = 'client backend'";
    execute(&mut own, end.to_owned()).await;
}

async fn superuser() -> PgConnection {
    let base = server().url();
    // The private server's own role may make databases, but no roles.
    let url = match server() {
        Server::Private(_) => base.replace("://befriend@", "://postgres@"),
        _ => base.to_owned(),
    };
    PgConnection::connect(&url).await.expect("a superuser")
}

async fn database(options: &str) -> String {
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}_{number}", run().await.name);
    let mut admin = admin("befriend_tests").await;
    execute(&mut admin, format!("create database {name} {options}")).await;
    let url = url_of(&name);
    removal::at_end_of_thread(name);
    url
}

async fn execute(admin: &mut PgConnection, sql: String) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(admin).await;
    done.expect("the server lets the tests do so");
}

/// This process on its server, where others may run tests too.
struct Run {
    /// What its databases' names begin with.
    name: String,
    /// The migrated database that the tests' own are copies of.
    template: String,
    /// Shows by its application_name that the run goes on, and by a shared lock that its template is
    /// in use. Never closed: it ends with the process, however that ends.
    _lease: PgConnection,
}

async fn run() -> &'static Run {
    RUN.get_or_init(|| async {
        let random = RandomState::new().build_hasher().finish();
        let name = format!("befriend_run_{random:016x}");
        let mut lease = admin(&name).await;
        let (template, hash) = template_name();
        sqlx::query("select pg_advisory_lock_shared($1)")
            .bind(hash)
            .execute(&mut lease)
            .await
            .expect("a lock");
        make_template(&mut lease, &template).await;
        // Nobody waits for it: what it does not get done is left to the next run.
        std::thread::spawn(removal::of_ended_runs);
        Run { name, template, _lease: lease }
    })
    .await
}

/// The same in every process of one build.
fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// The template's name and the number of its lock, both from the migrations' contents.
fn template_name() -> (String, i64) {
    let mut files: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))
        .expect("there are migrations")
        .map(|entry| entry.expect("the folder can be read").path())
        .collect();
    files.sort();
    let contents: Vec<_> =
        files.iter().map(|file| std::fs::read(file).expect("a migration can be read")).collect();
    let hash = hash(&contents);
    (format!("{TEMPLATE_PREFIX}{hash:016x}"), hash.cast_signed())
}

/// Makes the template unless it is there: under another name first, so that nobody sees it half-made.
async fn make_template(admin: &mut PgConnection, name: &str) {
    // Several processes may want it at once: one makes it.
    sqlx::query("select pg_advisory_lock($1)")
        .bind(MAKING)
        .execute(&mut *admin)
        .await
        .expect("a lock");
    let there: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(name)
            .fetch_one(&mut *admin)
            .await
            .expect("the catalog can be read");
    if !there {
        let raw = format!("{name}_raw");
        execute(admin, format!("drop database if exists {raw} (force)")).await;
        execute(admin, format!("create database {raw}")).await;
        store::migrate(&url_of(&raw)).await.expect("the migrations run");
        // A database that somebody is connected to can't be copied.
        execute(admin, format!("alter database {raw} with allow_connections false")).await;
        execute(admin, format!("alter database {raw} rename to {name}")).await;
    }
    sqlx::query("select pg_advisory_unlock($1)").bind(MAKING).execute(admin).await.expect("a lock");
}
