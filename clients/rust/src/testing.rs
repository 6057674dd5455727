//! A befriend for tests: the real service, from the program `befriend`, gone with the tests.
//!
//! ```no_run
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! use befriend_client::{proto::AddFriendRequest, testing::Server};
//!
//! let server = Server::start().await?;
//! let app = server.new_app().await?;
//! app.users(&["alice", "bob"]).await?;
//! let request = AddFriendRequest { owner: "alice".into(), friend: "bob".into(), ..Default::default() };
//! app.client()?.friends().add_friend(request).await?;
//! # Ok(())
//! # }
//! ```

use std::{
    env,
    io::{self, BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::{
    Client,
    error::Error,
    proto::{AppLimits, BatchCreateUsersRequest, CreateAppRequest, NewUser},
};

/// How long befriend may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// How many users one call makes.
const BATCH: usize = 60;

/// A running befriend. It ends when this is dropped, and with this process.
pub struct Server {
    process: Child,
    url: String,
    operator_token: String,
    app: App,
}

/// An app of a [`Server`], and its credentials.
#[derive(Clone, Debug)]
pub struct App {
    url: String,
    /// The app key, as "org#app".
    pub app_key: String,
    /// The client_id that belongs to the secret.
    pub client_id: String,
    /// The secret.
    pub client_secret: String,
}

/// What befriend says of itself when it takes calls.
#[derive(Deserialize)]
struct Said {
    url: String,
    operator_token: String,
    app: SaidApp,
}

#[derive(Deserialize)]
struct SaidApp {
    app_key: String,
    client_id: String,
    client_secret: String,
}

impl Server {
    /// Starts the program that BEFRIEND_BINARY names, or `befriend` on the PATH, and waits until it takes calls: less
    /// than a second, some seconds at the first start.
    ///
    /// # Errors
    /// When the program is not there, or does not start; then the error has what the program wrote.
    pub async fn start() -> io::Result<Self> {
        let program = env::var_os("BEFRIEND_BINARY").unwrap_or_else(|| "befriend".into());
        Self::start_by(Command::new(program)).await
    }

    /// The same with this command, to which `serve --ephemeral` is added. Variables of this process that are settings
    /// of befriend have no effect, nor has DATABASE_URL, unless the command sets them.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start_by(mut command: Command) -> io::Result<Self> {
        let set: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let setting = text.starts_with("BEFRIEND_") || text.starts_with("DATABASE_URL");
            if setting && !set.contains(&name) {
                command.env_remove(name);
            }
        }
        // befriend ends when the pipe to its standard input ends, as it does with this process.
        command.args(["serve", "--ephemeral"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = tokio::task::spawn_blocking(move || start(&mut command)).await;
        started.map_err(io::Error::other)?
    }

    /// "http://127.0.0.1:40519".
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The app that was made with the server.
    #[must_use]
    pub fn app(&self) -> &App {
        &self.app
    }

    /// A client of the operator.
    ///
    /// # Errors
    /// Hardly ever: as [`Builder::build`](crate::Builder::build).
    pub fn operator(&self) -> Result<Client, Error> {
        Client::builder(&self.url).token(&self.operator_token).build()
    }

    /// A new app without users, of which no other test knows.
    ///
    /// # Errors
    /// What every call may fail with.
    pub async fn new_app(&self) -> Result<App, Error> {
        let random =
            getrandom::u64().map_err(|error| tonic::Status::internal(error.to_string()))?;
        let app_key = format!("test#{random:016x}");
        // A suite of tests is a burst of calls.
        let limits = AppLimits { requests_per_second: Some(1_000_000), ..AppLimits::default() };
        let request = CreateAppRequest { app_key: app_key.clone(), limits: Some(limits) };
        let created = self.operator()?.apps().create_app(request).await?.into_inner();
        Ok(App {
            url: self.url.clone(),
            app_key,
            client_id: created.app.unwrap_or_default().client_id,
            client_secret: created.client_secret,
        })
    }
}

impl App {
    /// A client of the app.
    ///
    /// # Errors
    /// Hardly ever: as [`Builder::build`](crate::Builder::build).
    pub fn client(&self) -> Result<Client, Error> {
        Client::builder(&self.url).credentials(&self.client_id, &self.client_secret).build()
    }

    /// Makes users with these names.
    ///
    /// # Errors
    /// USER_ALREADY_EXISTS, INVALID_USERNAME, and what every call may fail with.
    pub async fn users(&self, usernames: &[&str]) -> Result<(), Error> {
        let client = self.client()?;
        for some in usernames.chunks(BATCH) {
            let users = some
                .iter()
                .map(|name| NewUser { username: (*name).to_owned(), ..NewUser::default() });
            let request = BatchCreateUsersRequest { users: users.collect() };
            client.users().batch_create_users(request).await?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of the pipe tells befriend to end, and its own Postgres with it.
        drop(self.process.stdin.take());
        let end = Instant::now() + STOP_TIMEOUT;
        while let Ok(None) = self.process.try_wait() {
            // Somebody else may hold the pipe: a process that was started meanwhile inherits it.
            if Instant::now() > end {
                let _ = self.process.kill();
                let _ = self.process.wait();
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

fn start(command: &mut Command) -> io::Result<Server> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut process = command
        .spawn()
        .map_err(|error| io::Error::new(error.kind(), format!("{name}: {error}")))?;
    let mut log = process.stderr.take();
    // Read to its end, so that befriend never waits for somebody to read its log.
    let log = thread::spawn(move || {
        let mut text = String::new();
        let mut lines = log.take().map(BufReader::new);
        while let Some(lines) = &mut lines {
            let mut line = Vec::new();
            match lines.by_ref().take(65_536).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                // Of a start that fails; a long run has a long log.
                Ok(_) if text.len() < 65_536 => text.push_str(&String::from_utf8_lossy(&line)),
                Ok(_) => {}
            }
        }
        text
    });
    let mut line = String::new();
    if let Some(out) = process.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    match serde_json::from_str::<Said>(&line) {
        Ok(said) => Ok(Server {
            process,
            app: App {
                url: said.url.clone(),
                app_key: said.app.app_key,
                client_id: said.app.client_id,
                client_secret: said.app.client_secret,
            },
            url: said.url,
            operator_token: said.operator_token,
        }),
        Err(_) => {
            drop(process.stdin.take());
            process.wait()?;
            let text = log.join().unwrap_or_default();
            Err(io::Error::other(format!(
                "{name} serve --ephemeral did not start; it said:\n{text}"
            )))
        }
    }
}
