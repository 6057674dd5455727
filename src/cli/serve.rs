//! `befriend serve`: the process around the server, from its database to its signals.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{CommandFactory as _, error::ErrorKind};
use tempfile::NamedTempFile;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Cli, Failure,
    dev::{
        demo,
        receiver::{self, ReceiverArgs},
    },
};
use crate::{
    clock::Clock,
    config::{DatabaseArgs, ServeArgs},
    domain::{Error, Secret, SecretKind},
    ops::Core,
    private_postgres::{self, Keeper},
    server, store, telemetry,
};

/// How long the private Postgres may take to start: enough to recover from a crash under load.
pub(super) const START_TIMEOUT: Duration = Duration::from_secs(90);

/// How many connections the private Postgres takes: a service's pool, and consoles beside it.
pub(super) const PRIVATE_CONNECTIONS: u16 = 100;

/// The database of this run: one that was named, or our private one.
pub(super) struct Database {
    pub(super) url: String,
    /// Our private Postgres, and the folder of its data.
    private: Option<(Keeper, PathBuf)>,
}

impl Database {
    pub(super) async fn open(args: &DatabaseArgs) -> Result<Self, Failure> {
        // Compose files can't leave a variable out, only empty.
        if let Some(url) = args.database_url.as_ref().filter(|url| !url.is_empty()) {
            return Ok(Self { url: url.clone(), private: None });
        }
        let settings = private_postgres::Settings {
            data_dir: data_dir(args),
            database: "befriend".to_owned(),
            start_timeout: START_TIMEOUT,
            fsync: true,
            max_connections: PRIVATE_CONNECTIONS,
        };
        let private = tokio::task::spawn_blocking(move || Keeper::start(settings)).await??;
        let url = private.url().to_owned();
        Ok(Self { url, private: Some((private, data_dir(args))) })
    }

    /// Puts the key that is kept with a private Postgres into the settings, unless they name one.
    pub(super) fn keep_credentials_key(&self, args: &mut ServeArgs) -> Result<(), Failure> {
        let named = args.credentials_key.as_ref().is_some_and(|key| !key.reveal().is_empty());
        if let (Some((_, data_dir)), false) = (&self.private, named) {
            let kind = SecretKind::CredentialsKey;
            args.credentials_key = Some(kept_secret(data_dir, "credentials-key", kind)?);
        }
        Ok(())
    }

    /// Whether it is our private one, which nobody else brings up to date.
    pub(super) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    pub(super) async fn close(self) -> Result<(), Failure> {
        if let Some((private, _)) = self.private {
            tokio::task::spawn_blocking(move || private.stop()).await??;
        }
        Ok(())
    }
}

pub(super) fn data_dir(args: &DatabaseArgs) -> PathBuf {
    args.data_dir.clone().unwrap_or_else(private_postgres::default_data_dir)
}

pub(super) async fn serve(database_args: DatabaseArgs, mut args: ServeArgs) -> Result<(), Failure> {
    if let Err(error) = args.check() {
        Cli::command().error(ErrorKind::ValueValidation, error).exit();
    }
    telemetry::start(args.log_format, &args.log);
    let stop = stop_on_signal();
    let listener = TcpListener::bind(args.listen).await.map_err(|e| match e.kind() {
        io::ErrorKind::AddrInUse => format!(
            "--listen: {} is taken by another program; choose another port, such as --listen \
                 127.0.0.1:50052, or 0 for any",
            args.listen
        ),
        _ => format!("--listen: can't listen on {}: {e}", args.listen),
    })?;
    let database = Database::open(&database_args).await?;
    database.keep_credentials_key(&mut args)?;
    let operator_token = match (&args.operator_token, &database.private) {
        (Some(token), _) => Some(token.clone()),
        (None, Some((_, data_dir))) => {
            Some(kept_secret(data_dir, "operator-token", SecretKind::OperatorToken)?)
        }
        (None, None) => {
            tracing::warn!("AppService is shut: --operator-token is not set");
            None
        }
    };
    let core = server::core(&database.url, &args, operator_token.clone(), Clock::system())?;
    wait_for_database(&core, args.db_wait.0).await;
    if args.migrate {
        store::migrate(&database.url).await?;
    } else {
        store::require_current(&database.url).await?;
    }
    let address = listener.local_addr()?;
    tracing::info!(%address, tls = args.tls_cert.is_some(), "listening");
    if args.demo {
        let tls = args.tls_cert.is_some();
        demo::prepare(&core, address, tls, operator_token.as_ref(), stop.clone()).await?;
    } else if let (Some(token), Some(_), None) =
        (&operator_token, &database.private, &args.operator_token)
    {
        println!("operator token: {}", token.reveal());
    }
    let webhook = args.webhook(database.private.is_some());
    if args.deliver && webhook.allow_private {
        tracing::warn!(
            "callbacks may go to loopback and private addresses: --callback-allow-private"
        );
    }
    let served = server::serve(listener, core, &args, webhook, stop).await;
    database.close().await?;
    tracing::info!("stopped");
    Ok(served?)
}

/// Gives a database that starts together with us the time for it. Whoever comes next says what is
/// wrong if it never answers.
pub(super) async fn wait_for_database(core: &Core, longest: Duration) {
    let deadline = Instant::now() + longest;
    while let Err(error) = core.db.probe().await {
        // What a wait does not mend: a wrong password, user or database.
        let hopeless = !matches!(error, Error::Unavailable(_));
        if hopeless || Instant::now() >= deadline {
            return;
        }
        tracing::info!(%error, "waiting for the database");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// A secret of a private Postgres: made at the first start, kept beside the data, for its owner's eyes
/// only. It is written aside and then renamed: a crash leaves it whole or not there.
fn kept_secret(data_dir: &Path, name: &str, kind: SecretKind) -> Result<Secret, Failure> {
    const SHORTEST: usize = 32;
    let path = data_dir.join(name);
    let in_words = |error: io::Error| format!("can't keep a secret in {}: {error}", path.display());
    match fs::read_to_string(&path) {
        Ok(kept) if kept.trim().len() >= SHORTEST => return Ok(Secret::presented(kept.trim())),
        // Another key in its place would open nothing that the lost one sealed.
        Ok(_) => {
            let path = path.display();
            return Err(format!("{path} holds no secret: remove it, and another is made").into());
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(in_words(error).into()),
        Err(_) => {}
    }
    let secret = Secret::generate(kind);
    let write = || {
        let mut file = NamedTempFile::new_in(data_dir)?;
        file.write_all(secret.reveal().as_bytes())?;
        file.as_file().sync_all()?;
        // Of two processes that start at once one writes its secret; the other takes that one.
        match file.persist_noclobber(&path).map_err(io::Error::from) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    write().map_err(in_words)?;
    kept_secret(data_dir, name, kind)
}

/// Is cancelled by SIGINT or SIGTERM. A second signal ends the process at once.
pub(super) fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let stopping = stop.clone();
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            tracing::error!("can't listen for signals");
            return;
        };
        for times in 1.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if times > 1 {
                telemetry::flush();
                std::process::exit(1);
            }
            stopping.cancel();
        }
    });
    stop
}

pub(super) async fn receive(args: ReceiverArgs) -> Result<(), Failure> {
    let answers = args.answers()?;
    let stop = stop_on_signal();
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|e| format!("--listen: can't listen on {}: {e}", args.listen))?;
    println!("receiving callbacks on http://{}", listener.local_addr()?);
    Ok(receiver::serve(listener, answers, stop).await?)
}
