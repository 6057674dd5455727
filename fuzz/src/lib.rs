//! What the fuzz targets need: one service in the process of the fuzzer, and a runtime.
//!
//! The targets themselves are in [`targets`]. befriend's test suite runs them as well, with the corpus and
//! with random inputs, on a service of its own.

pub mod targets;

use std::{
    env, fs,
    sync::{Arc, LazyLock},
    time::Duration,
};

use befriend::{
    clock::Clock,
    config::ServeArgs,
    domain::Secret,
    private_postgres::{PrivatePostgres, Settings},
    server::{self, Admin},
    store,
};
use clap::Parser;
use tokio::{net::TcpListener, runtime::Runtime};
use tokio_util::sync::CancellationToken;

use self::targets::site::{FLAGS, Site};

/// The operator's token of the service.
const OPERATOR_TOKEN: &str = "operator-token-of-the-fuzzer-0123456789";

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

static SITE: LazyLock<Site> = LazyLock::new(|| RUNTIME.block_on(serve()));

/// Runs a target that needs no service.
pub fn run<T>(target: impl Future<Output = T>) -> T {
    RUNTIME.block_on(target)
}

/// Runs a target on the service of this process, which begins with the first input.
pub fn run_on_site<'a, T, F: Future<Output = T>>(
    target: impl FnOnce(&'static Site, &'a [u8]) -> F,
    input: &'a [u8],
) -> T {
    RUNTIME.block_on(target(&SITE, input))
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    serve: ServeArgs,
}

/// Starts a service on a private Postgres, whose folder is `FUZZ_POSTGRES`.
async fn serve() -> Site {
    let folder = env::var("FUZZ_POSTGRES").unwrap_or_else(|_| "/var/tmp/befriend-fuzz".to_owned());
    fs::create_dir_all(&folder).expect("a folder for Postgres");
    let settings = Settings {
        data_dir: folder.into(),
        start_timeout: Duration::from_secs(60),
        fsync: false,
        max_connections: 100,
    };
    // Postgres ends when the last process that started it has ended.
    let postgres = tokio::task::spawn_blocking(move || PrivatePostgres::start(&settings));
    let postgres = postgres.await.expect("no panic").expect("Postgres starts");
    let url = postgres.url().to_owned();
    Box::leak(Box::new(postgres));
    store::migrate(&url).await.expect("the tables");

    let args = Flags::parse_from(["befriend"].iter().chain(FLAGS)).serve;
    let core = server::core(&url, &args, Some(Secret::presented(OPERATOR_TOKEN)), Clock::system());
    let core = core.expect("the settings are right");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let webhook = args.callbacks.webhook(true);
    let (core, stop) = (Arc::clone(&core), CancellationToken::new());
    tokio::spawn(async move {
        server::serve(listener, core, &args, webhook, &Admin::default(), stop).await
    });
    Site::prepare(address, OPERATOR_TOKEN, &format!("fuzz#p{}", std::process::id())).await
}
