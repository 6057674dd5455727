//! Postgres in a container, where Docker is and Postgres is not.
//!
//! The container looks after itself: it ends when no test run has been connected for a while, and the
//! engine removes what has ended. So nothing stays behind, however the tests ended (statics are not
//! dropped, and a killed process drops nothing), without a second container that needs the engine's
//! socket to clean up. A container is one process': for a runner with a process a test, start one
//! server and name it in `TEST_DATABASE_URL`.

use std::{env, thread, time::Duration};

use testcontainers::{
    ContainerRequest, GenericImage, ImageExt as _,
    core::{IntoContainerPort as _, WaitFor, client::docker_client_instance},
    runners::AsyncRunner as _,
};

/// What an engine that is there answers in, over a network too.
const ENGINE_PATIENCE: Duration = Duration::from_secs(5);

/// What a start may take, with an image that has to be fetched first.
const START_PATIENCE: Duration = Duration::from_secs(300);

const PASSWORD: &str = "befriend";

/// Runs as the container's first process. Only the real server listens on TCP, not the one that the
/// entrypoint sets the cluster up with, so the word of its readiness comes once, and in time.
const SCRIPT: &str = r#"
docker-entrypoint.sh postgres "$@" &
server=$!
ask() { psql -h 127.0.0.1 -U postgres -d postgres -XAtqc "$1" 2>/dev/null; }
until ask 'select' >/dev/null; do
    kill -0 $server 2>/dev/null || exit 1
    sleep 0.1
done
echo 'ready for the tests'
quiet=0
while [ $quiet -lt 20 ] && kill -0 $server 2>/dev/null; do
    sleep 1
    runs=$(ask "select count(*) from pg_stat_activity where application_name like 'befriend_run_%'")
    if [ "$runs" = 0 ]; then quiet=$((quiet + 1)); else quiet=0; fi
done
kill -INT $server
wait $server
"#;

/// What postgres is told: as the private one of the tests, it may forget everything in a crash.
const SETTINGS: [&str; 4] =
    ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=500"];

/// Starts a container and returns the server's URL.
///
/// # Errors
/// A sentence, within seconds when there is no engine.
pub fn start() -> Result<String, String> {
    // The caller may be inside a runtime, which can't wait for another one.
    let starting = thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.map_err(|error| error.to_string())?.block_on(start_in_time())
    });
    starting.join().map_err(|_| "starting the container panicked".to_owned())?
}

async fn start_in_time() -> Result<String, String> {
    // A DOCKER_HOST that nobody answers at would be waited for without an end.
    let engine = tokio::time::timeout(ENGINE_PATIENCE, async {
        let engine = docker_client_instance().await.map_err(|error| error.to_string())?;
        engine.ping().await.map_err(|error| error.to_string())
    });
    engine
        .await
        .map_err(|_| format!("the container engine does not answer in {ENGINE_PATIENCE:?}"))?
        .map_err(|error| format!("no container engine: {error}"))?;
    let container = request()
        .start()
        .await
        .map_err(|error| format!("the Postgres container does not start: {error}"))?;
    let host = container.get_host().await.map_err(|error| error.to_string())?;
    let port = container.get_host_port_ipv4(5432).await.map_err(|error| error.to_string())?;
    // Its drop would remove it now; it ends by itself.
    std::mem::forget(container);
    Ok(format!("postgres://postgres:{PASSWORD}@{host}:{port}/postgres?sslmode=disable"))
}

fn request() -> ContainerRequest<GenericImage> {
    let image = env::var("TEST_POSTGRES_IMAGE").unwrap_or_else(|_| "postgres:17".to_owned());
    // A colon before the last slash is a registry's port.
    let (name, tag) = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        _ => (image.as_str(), "latest"),
    };
    let settings = SETTINGS.iter().flat_map(|setting| ["-c", setting]);
    GenericImage::new(name, tag)
        .with_entrypoint("/bin/sh")
        .with_exposed_port(5432.tcp())
        .with_wait_for(WaitFor::message_on_stdout("ready for the tests"))
        .with_cmd(["-c", SCRIPT, "befriend-tests"].into_iter().chain(settings))
        .with_env_var("POSTGRES_PASSWORD", PASSWORD)
        .with_env_var("PGPASSWORD", PASSWORD)
        .with_label("befriend.tests", "yes")
        .with_startup_timeout(START_PATIENCE)
        .with_host_config_modifier(|host| host.auto_remove = Some(true))
}
