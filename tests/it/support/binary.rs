//! The binary, as an operator runs it.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStderr, Command, Output, Stdio},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

/// The binary with these arguments, without the environment of the tests.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_befriend"));
    command.args(arguments).env_clear().stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the binary runs")
}

/// A service that logs JSON and listens. It ends with the test.
pub struct Service {
    child: Child,
    log: Option<BufReader<ChildStderr>>,
    /// The log so far.
    pub logged: String,
    /// The address on which the service listens, as "http://127.0.0.1:port".
    pub url: String,
}

impl Service {
    /// Starts a service and waits until it listens.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, |_| {}).await
    }

    /// The same, with what `prepare` changes of the command.
    pub async fn start_with(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let mut service = Self::begin_with(arguments, prepare);
        let line = service.logs("listening").await;
        service.url = format!("http://{}", line["address"].as_str().expect("an address"));
        service
    }

    /// Starts a service.
    pub fn begin(arguments: &[&str]) -> Self {
        Self::begin_with(arguments, |_| {})
    }

    fn begin_with(arguments: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let always = ["--listen", "127.0.0.1:0", "--log-format", "json"];
        let arguments = [&always[..], arguments].concat();
        let mut command = command(&arguments);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        prepare(&mut command);
        let child = command.spawn().expect("the binary starts");
        let mut service = Self { child, log: None, logged: String::new(), url: String::new() };
        service.log = service.child.stderr.take().map(BufReader::new);
        service
    }

    /// The lines so far that have this message.
    pub fn lines(&self, message: &str) -> Vec<Value> {
        let lines = self.logged.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        lines.filter(|line: &Value| line["message"] == message).collect()
    }

    /// Waits for the next line of the log that has this message, and returns it.
    pub async fn logs(&mut self, message: &'static str) -> Value {
        let mut log = self.log.take().expect("it was not stopped");
        let read = move || {
            let mut lines = String::new();
            loop {
                let start = lines.len();
                let read = log.read_line(&mut lines).expect("the log can be read");
                assert!(read > 0, "it ended before it said {message:?}: {lines}");
                let line: Value = serde_json::from_str(&lines[start..]).expect("a line of JSON");
                if line["message"] == message {
                    return (log, lines, line);
                }
            }
        };
        let (log, lines, line) = tokio::task::spawn_blocking(read).await.expect("it says so");
        self.log = Some(log);
        self.logged += &lines;
        line
    }

    /// Sends the service a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().expect("a pid"));
        kill(pid, signal).expect("it is there");
    }

    /// Ends the service by SIGTERM, and reads the rest of its log. Returns whether it ended with success.
    pub async fn stop(&mut self) -> bool {
        self.signal(Signal::SIGTERM);
        let mut log = self.log.take().expect("it is stopped once");
        let rest = move || {
            let mut rest = String::new();
            log.read_to_string(&mut rest).expect("the log can be read");
            rest
        };
        self.logged += &tokio::task::spawn_blocking(rest).await.expect("the log is read");
        self.child.wait().expect("it ends").success()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
