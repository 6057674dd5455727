//! pgbench, on the same data.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use crate::{
    Failure,
    load::{Measured, histogram},
};

pub struct Pgbench {
    pub url: String,
    pub folder: PathBuf,
    /// The array of names of a check of a hundred.
    pub others: String,
}

impl Pgbench {
    /// Runs a script from so many connections for a time, each statement prepared.
    pub fn run(&self, script: &str, callers: usize, time: Duration) -> Result<Measured, Failure> {
        let file = self.folder.join("script.sql");
        fs::write(&file, script)?;
        let log = self.folder.join("pgbench_log");
        // A line for each transaction costs; of many callers a part tells enough.
        let sampled = if callers == 1 { "1" } else { "0.05" };
        // Its time includes that of making the connections, its rate does not.
        let connecting = callers as u64 / 64;
        let threads = callers.min(2).to_string();
        let done = Command::new("pgbench")
            // As the service has it, and the quickest.
            .env("PGOPTIONS", "-c plan_cache_mode=force_generic_plan")
            .args(["-n", "-M", "prepared", "-c", &callers.to_string(), "-j", &threads])
            .args(["-T", &(time.as_secs().max(1) + connecting).to_string()])
            .args(["-l", "--sampling-rate", sampled])
            .arg("--log-prefix")
            .arg(&log)
            .args(["-D", &format!("others={}", self.others), "-f"])
            .arg(&file)
            .arg(&self.url)
            .output()?;
        let said = String::from_utf8_lossy(&done.stdout);
        let rate = said
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
        let rate = rate.filter(|_| done.status.success());
        let rate = rate.ok_or_else(|| {
            format!("pgbench: {said}{}\n{script}", String::from_utf8_lossy(&done.stderr))
        })?;
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
        let seconds = time.as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let calls = (rate * seconds) as u64;
        Ok(Measured { calls, seconds, times, left: 0 })
    }
}

/// The third column of a line is the transaction's time in microseconds.
fn read_log(path: &Path, times: &mut hdrhistogram::Histogram<u64>) -> Result<(), Failure> {
    for line in fs::read_to_string(path)?.lines() {
        if let Some(time) = line.split(' ').nth(2).and_then(|time| time.parse::<u64>().ok()) {
            times.saturating_record(time * 1000);
        }
    }
    Ok(())
}
