//! The processes that are measured, and the CPU time and memory that they use.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::common::app::{Failure, OPERATOR};

/// A process, which is killed when this value is dropped.
pub struct Process {
    child: Child,
    pub url: String,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts this program as the echo service.
    pub fn echo() -> Result<Self, Failure> {
        let mut child =
            Command::new(std::env::current_exe()?).arg("echo").stdout(Stdio::piped()).spawn()?;
        let mut port = String::new();
        let stdout = child.stdout.take().ok_or("no output")?;
        BufReader::new(stdout).read_line(&mut port)?;
        Ok(Self { child, url: format!("http://127.0.0.1:{}", port.trim()) })
    }

    /// Starts befriend with its defaults, except that it delivers no events. Its log goes into a file.
    pub fn befriend(binary: &Path, database: &str, log: &Path) -> Result<Self, Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new(binary)
            .args(["--listen", &format!("127.0.0.1:{port}"), "--deliver", "false"])
            .env("DATABASE_URL", database)
            .env("BEFRIEND_OPERATOR_TOKEN", OPERATOR)
            .stderr(fs::File::create(log)?)
            .spawn()?;
        let made = Self { child, url: format!("http://127.0.0.1:{port}") };
        let deadline = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > deadline {
                return Err("befriend does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(made)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// CPU time that a process and its ended children have used so far, in seconds.
fn cpu_of(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The second field is the program's name in parentheses, which may hold any character.
    let fields: Vec<f64> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().map(|f| f.parse().unwrap_or(0.0)).collect())
        .unwrap_or_default();
    // utime, stime, cutime, cstime, in ticks of a hundredth of a second.
    fields.get(11..15).map_or(0.0, |ticks| ticks.iter().sum::<f64>() / 100.0)
}

/// CPU time of this process, pgbench's included, in seconds.
pub fn cpu_of_caller() -> f64 {
    cpu_of(std::process::id())
}

/// CPU time of one process, in seconds.
pub fn cpu(pid: u32) -> f64 {
    cpu_of(pid)
}

/// CPU time of a process and its running children, in seconds.
pub fn cpu_of_family(pid: u32) -> f64 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let of_children = children.split_whitespace().filter_map(|pid| pid.parse().ok()).map(cpu_of);
    cpu_of(pid) + of_children.sum::<f64>()
}

/// Resident memory, in MiB.
pub fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
