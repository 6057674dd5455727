//! pgbench, on the data of the service.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    common::app::Failure,
    load::{Measured, histogram},
};

pub struct Pgbench {
    pub url: String,
    pub folder: PathBuf,
    /// The names of a CheckRelations of a hundred, as a Postgres array.
    pub others: String,
}

impl Pgbench {
    /// Runs a script on so many connections for a time, with prepared statements.
    pub fn run(&self, script: &str, callers: usize, time: Duration) -> Result<Measured, Failure> {
        let log = self.folder.join("pgbench_log");
        // Writing a log line for each transaction takes time; a sample of many callers is enough.
        let sampled = if callers == 1 { "1" } else { "0.05" };
        // The duration of the run includes the time for connecting, the rate does not.
        let connecting = callers as u64 / 64;
        let time = (time.as_secs().max(1) + connecting).to_string();
        let prefix = log.to_string_lossy();
        let said = self.say(
            script,
            callers,
            &["-T", &time, "-l", "--sampling-rate", sampled, "--log-prefix", &prefix],
        )?;
        let number = |before: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(before));
            line.and_then(|line| line.split([' ', '/']).next()?.parse::<f64>().ok())
                .ok_or_else(|| format!("pgbench: {said}"))
        };
        let rate = number("tps = ")?;
        let calls = number("number of transactions actually processed: ")?;
        let mut times = histogram();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("pgbench_log"))
            {
                read_log(&path, &mut times)?;
                fs::remove_file(path)?;
            }
        }
        let seconds = calls / rate;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let calls = calls as u64;
        Ok(Measured { calls, seconds, times, left: 0 })
    }

    /// Makes the connections, prepares the statement on each, and runs it once.
    pub fn start(&self, script: &str, callers: usize) -> Result<(), Failure> {
        self.say(script, callers, &["-t", "1"]).map(drop)
    }

    fn say(&self, script: &str, callers: usize, more: &[&str]) -> Result<String, Failure> {
        let file = self.folder.join("script.sql");
        fs::write(&file, script)?;
        let threads = callers.min(2).to_string();
        let done = Command::new("pgbench")
            // The service's connections have this setting too; it is the fastest.
            .env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan")
            .args(["-n", "-M", "prepared", "-c", &callers.to_string(), "-j", &threads])
            .args(more)
            .args(["-D", &format!("others={}", self.others), "-f"])
            .arg(&file)
            .arg(&self.url)
            .output()?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        if !done.status.success() {
            let why = String::from_utf8_lossy(&done.stderr);
            return Err(format!("pgbench: {said}{why}\n{script}").into());
        }
        Ok(said)
    }
}

/// Adds the times of a pgbench log, whose third column is the transaction's time in microseconds.
fn read_log(path: &Path, times: &mut hdrhistogram::Histogram<u64>) -> Result<(), Failure> {
    for line in fs::read_to_string(path)?.lines() {
        if let Some(time) = line.split(' ').nth(2).and_then(|time| time.parse::<u64>().ok()) {
            times.saturating_record(time * 1000);
        }
    }
    Ok(())
}
