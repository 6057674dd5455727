//! Opening connections: to the first of the hosts that answers and takes writes.

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use sqlx::{
    ConnectOptions as _, PgConnection, Row as _,
    postgres::{PgConnectOptions, PgRow},
};
use tokio::time::timeout;

use super::{
    database_url::Host,
    outages::Outages,
    role::Role,
    sqlstate::{Meaning, meaning},
};
use crate::domain::{Replaceable, backoff};

/// A connection that was idle for longer is checked before it is used.
const CHECK_AFTER: Duration = Duration::from_secs(1);

/// How long the check may take: a connection whose packets a firewall drops would never answer.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// A connection is replaced at this age, and with it the memory that its server process has gathered.
const MAX_AGE: Duration = Duration::from_mins(30);

/// The pauses between attempts to connect: 10 ms, 20 ms, 40 ms, … up to 500 ms.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Why no connection could be opened: what each of the hosts did.
#[derive(Debug)]
pub struct ConnectError(Vec<(String, Refusal)>);

/// What a host did.
#[derive(Debug)]
enum Refusal {
    /// The connection failed, or the server refused it.
    Failed(sqlx::Error),
    /// The server takes no writes.
    ReadOnly(Role),
    /// The server did not answer in time.
    Silent(Duration),
}

impl ConnectError {
    /// Whether waiting does not help: a wrong password, no such role or database, a broken certificate.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.0.iter().all(|(_, refusal)| match refusal {
            Refusal::Failed(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                // Without the privilege the role may not connect to the database.
                matches!(meaning(&code), Meaning::Refused | Meaning::Privilege)
            }
            Refusal::Failed(sqlx::Error::Configuration(_)) => true,
            Refusal::Failed(_) | Refusal::ReadOnly(_) | Refusal::Silent(_) => false,
        })
    }

    /// Whether a server is there and has no room for another connection.
    pub(super) fn has_no_room(&self) -> bool {
        self.0.iter().any(|(_, refusal)| match refusal {
            Refusal::Failed(sqlx::Error::Database(error)) => {
                meaning(&error.code().unwrap_or_default()) == Meaning::Busy
            }
            _ => false,
        })
    }

    /// Whether a host refused the connection in a way that may pass within moments: the server is starting,
    /// is being promoted, or has no room.
    fn may_pass(&self) -> bool {
        self.0.iter().any(|(_, refusal)| match refusal {
            Refusal::Failed(sqlx::Error::Io(error)) => {
                error.kind() == io::ErrorKind::ConnectionRefused
            }
            Refusal::Failed(sqlx::Error::Database(error)) => error.is_transient_in_connect_phase(),
            Refusal::ReadOnly(_) => true,
            Refusal::Failed(_) | Refusal::Silent(_) => false,
        })
    }

    /// What a server is that was reached.
    pub(super) fn role(&self) -> Option<Role> {
        self.0.iter().find_map(|(_, refusal)| match refusal {
            Refusal::ReadOnly(role) => Some(*role),
            Refusal::Failed(_) | Refusal::Silent(_) => None,
        })
    }

    /// Counts the attempts, by what each host did.
    fn count(&self) {
        for (_, refusal) in &self.0 {
            let outcome = match refusal {
                Refusal::Failed(_) => "failed",
                Refusal::ReadOnly(_) => "read-only",
                Refusal::Silent(_) => "silent",
            };
            metrics::counter!("befriend_db_connects_total", "outcome" => outcome).increment(1);
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (host, refusal)) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "; " };
            write!(f, "{separator}{host}: ")?;
            match refusal {
                Refusal::Failed(sqlx::Error::Database(error)) => f.write_str(error.message())?,
                Refusal::Failed(error) => write!(f, "{error}")?,
                Refusal::ReadOnly(Role::Standby) => {
                    f.write_str("the server takes no writes: it is a standby")?;
                }
                Refusal::ReadOnly(_) => {
                    f.write_str("the server takes no writes: default_transaction_read_only is on")?;
                }
                Refusal::Silent(time) => write!(f, "no answer within {time:?}")?,
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {}

/// Opens connections, and checks those of the pool.
pub(super) struct Connector {
    hosts: Replaceable<Arc<[Host]>>,
    /// Adds the settings of a session.
    session: Box<dyn Fn(PgConnectOptions) -> PgConnectOptions + Send + Sync>,
    /// The host that took the last connection: the next one goes there first.
    last: AtomicUsize,
    /// Whether the server refused the last connection of the pool for lack of room.
    refused: AtomicBool,
    timeout: Duration,
    outages: Arc<Outages>,
}

impl Connector {
    /// Connects to `hosts` with further `options` of the session. Waits up to `timeout` for a server that
    /// is starting.
    pub(super) fn new(
        hosts: Vec<Host>,
        options: impl Fn(PgConnectOptions) -> PgConnectOptions + Send + Sync + 'static,
        timeout: Duration,
        outages: Arc<Outages>,
    ) -> Self {
        let connector = Self {
            hosts: Replaceable::new([].into()),
            session: Box::new(options),
            last: AtomicUsize::new(0),
            refused: AtomicBool::new(false),
            timeout,
            outages,
        };
        connector.set_hosts(hosts);
        connector
    }

    fn set_hosts(&self, hosts: Vec<Host>) {
        let with_options = |host: Host| Host { options: (self.session)(host.options), ..host };
        self.hosts.set(hosts.into_iter().map(with_options).collect());
    }

    /// Opens further connections as these hosts say, which differ in user and password at the most. Returns
    /// whether they do.
    pub(super) fn replace_hosts(&self, hosts: Vec<Host>) -> bool {
        let place =
            |host: &Host| (host.name.clone(), host.options.get_database().map(str::to_owned));
        let same = self.hosts.get().iter().map(place).eq(hosts.iter().map(place));
        if same {
            self.set_hosts(hosts);
        }
        same
    }

    /// Opens a connection. Tries again while the server is starting or has no room, for no longer than
    /// a call waits for a connection.
    pub(super) async fn connect(&self) -> Result<PgConnection, ConnectError> {
        self.connect_while(ConnectError::may_pass).await
    }

    /// Opens a connection. Tries again for up to `self.timeout`, while the error is one that `may_pass`.
    async fn connect_while(
        &self,
        may_pass: fn(&ConnectError) -> bool,
    ) -> Result<PgConnection, ConnectError> {
        let until = Instant::now() + self.timeout;
        let mut failures = 0;
        loop {
            failures += 1;
            let pause = backoff(FIRST_PAUSE, failures, LONGEST_PAUSE);
            match self.connect_once(until.saturating_duration_since(Instant::now())).await {
                Err(error) if may_pass(&error) && Instant::now() + pause < until => {
                    self.outages.suspect();
                }
                result => return result,
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Tries each host once, all of them within `time`.
    pub(super) async fn connect_once(&self, time: Duration) -> Result<PgConnection, ConnectError> {
        let hosts = self.hosts.get();
        let count = hosts.len();
        let share = time / u32::try_from(count).unwrap_or(u32::MAX);
        let first = self.last.load(Ordering::Relaxed);
        let mut refusals = Vec::new();
        for index in (0..count).map(|number| (first + number) % count) {
            let host = &hosts[index];
            // Boxed, because the future is large, and part of the future of every call.
            let refusal = match timeout(share, Box::pin(open(&host.options))).await {
                Ok(Ok((connection, Role::Primary))) => {
                    self.last.store(index, Ordering::Relaxed);
                    metrics::counter!("befriend_db_connects_total", "outcome" => "opened")
                        .increment(1);
                    return Ok(connection);
                }
                Ok(Ok((_, role))) => Refusal::ReadOnly(role),
                Ok(Err(error)) => Refusal::Failed(error),
                Err(_) => Refusal::Silent(share),
            };
            refusals.push((host.name.clone(), refusal));
        }
        let error = ConnectError(refusals);
        error.count();
        Err(error)
    }
}

/// A connection to a server, and what the server is.
async fn open(options: &PgConnectOptions) -> Result<(PgConnection, Role), sqlx::Error> {
    let mut connection = options.connect().await?;
    let role = role(&mut connection).await?;
    Ok((connection, role))
}

/// What the server is now. One round trip, as a ping is.
pub(super) async fn role(connection: &mut PgConnection) -> Result<Role, sqlx::Error> {
    let row: PgRow = sqlx::raw_sql(
        "-- connector.role
select current_setting('transaction_read_only'), pg_is_in_recovery()::text",
    )
    .fetch_one(connection)
    .await?;
    Ok(match (row.try_get::<&str, _>(0)?, row.try_get::<&str, _>(1)?) {
        ("off", _) => Role::Primary,
        (_, "true") => Role::Standby,
        _ => Role::ReadOnly,
    })
}

impl Manager for Connector {
    type Type = PgConnection;
    type Error = ConnectError;

    /// Does not wait for a server that has no room: a connection that comes back meanwhile will do.
    async fn create(&self) -> Result<PgConnection, ConnectError> {
        let opened = self.connect_while(|error| error.may_pass() && !error.has_no_room()).await;
        match &opened {
            Ok(_) if self.refused.swap(false, Ordering::Relaxed) => {
                tracing::info!("the database takes further connections again");
            }
            Err(error) if error.has_no_room() && !self.refused.swap(true, Ordering::Relaxed) => {
                tracing::warn!(
                    %error,
                    "the database takes no further connections: calls wait for those that are open"
                );
            }
            Ok(_) | Err(_) => {}
        }
        opened
    }

    /// Checks a connection before it is used again; without a round trip if it was used a moment ago.
    async fn recycle(
        &self,
        connection: &mut PgConnection,
        metrics: &Metrics,
    ) -> RecycleResult<ConnectError> {
        if metrics.age() > MAX_AGE {
            return Err(RecycleError::message("old"));
        }
        if self.outages.condemned(metrics) {
            return Err(RecycleError::message("condemned"));
        }
        if metrics.last_used() <= CHECK_AFTER {
            return Ok(());
        }
        match timeout(CHECK_TIMEOUT, Box::pin(role(connection))).await {
            Ok(Ok(Role::Primary)) => Ok(()),
            Ok(Ok(_)) => {
                self.outages.condemn();
                Err(RecycleError::message("read-only"))
            }
            Ok(Err(_)) | Err(_) => {
                self.outages.condemn_unused_since(metrics);
                Err(RecycleError::message("lost"))
            }
        }
    }
}
