//! What was measured, as JSON and as tables.

use std::{fmt::Write as _, fs, path::Path};

use serde::Serialize;

use crate::{Failure, data::Size, load::Times, operations::Operation};

/// Who was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Contender {
    /// The database alone, with one prepared statement.
    Pgbench,
    /// tonic alone, with messages of the same size.
    Echo,
    /// The service.
    Befriend,
    /// Another build of it.
    #[value(skip)]
    Other,
}

/// One contender, for a time.
#[derive(Clone, Debug, Serialize)]
pub struct Phase {
    pub operation: Operation,
    pub callers: usize,
    pub round: usize,
    pub contender: Contender,
    /// Operations a second.
    pub rate: f64,
    /// In microseconds.
    pub times: Times,
    /// CPU time of the process that is called, in microseconds an operation.
    pub service_cpu: f64,
    /// CPU time of Postgres, in microseconds an operation.
    pub database_cpu: f64,
    /// CPU time of whoever calls, in microseconds an operation.
    pub client_cpu: f64,
}

impl Phase {
    /// CPU time of all, in microseconds an operation. It bounds the rate when nothing waits, and other
    /// work of the machine does not change it much.
    fn cpu(&self) -> f64 {
        self.service_cpu + self.database_cpu + self.client_cpu
    }
}

/// befriend at a fixed rate.
#[derive(Clone, Debug, Serialize)]
pub struct OpenPhase {
    pub operation: Operation,
    /// The rate as a part of what 64 callers reach.
    pub part: f64,
    /// Calls a second.
    pub rate: f64,
    /// Calls without an answer at the end.
    pub left: u64,
    /// From when a call was due, in microseconds.
    pub times: Times,
}

/// Resident memory of the service, in MiB.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Memory {
    pub idle: f64,
    pub at_256: f64,
}

#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub size: Size,
    pub memory: Memory,
    pub phases: Vec<Phase>,
    pub open: Vec<OpenPhase>,
}

impl Report {
    fn of(&self, operation: Operation, contender: Contender, callers: usize) -> Vec<&Phase> {
        let matching = |p: &&Phase| {
            p.operation == operation && p.contender == contender && p.callers == callers
        };
        self.phases.iter().filter(matching).collect()
    }

    /// The median over the rounds of something about the phases.
    fn median(
        &self,
        (operation, contender, callers): (Operation, Contender, usize),
        what: impl Fn(&Phase) -> f64,
    ) -> Option<f64> {
        median(self.of(operation, contender, callers).into_iter().map(what))
    }

    /// Operations a second, the median over the rounds.
    pub fn rate(&self, operation: Operation, contender: Contender, callers: usize) -> Option<f64> {
        self.median((operation, contender, callers), |phase| phase.rate)
    }

    /// befriend's rate over another's, each round by itself, and the median of these.
    fn ratio(&self, operation: Operation, to: Contender, callers: usize) -> Option<f64> {
        let ours = self.of(operation, Contender::Befriend, callers);
        let theirs = self.of(operation, to, callers);
        median(ours.into_iter().filter_map(|our| {
            let their = theirs.iter().find(|their| their.round == our.round)?;
            Some(our.rate / their.rate)
        }))
    }

    /// How often as much CPU time another takes for an operation; the median over the rounds.
    fn cpu_ratio(&self, operation: Operation, to: Contender, callers: usize) -> Option<f64> {
        let ours = self.median((operation, Contender::Befriend, callers), Phase::cpu)?;
        Some(self.median((operation, to, callers), Phase::cpu)? / ours)
    }

    /// The operations and numbers of callers, in the order of the measurement.
    pub fn lines(&self) -> Vec<(Operation, usize)> {
        let mut lines = Vec::new();
        for phase in &self.phases {
            if !lines.contains(&(phase.operation, phase.callers)) {
                lines.push((phase.operation, phase.callers));
            }
        }
        lines
    }

    pub fn markdown(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: &[String]| {
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        };
        let with_other = self.phases.iter().any(|phase| phase.contender == Contender::Other);
        let mut titles = vec![
            "operation",
            "callers",
            "befriend, op/s",
            "p50, µs",
            "p95",
            "p99",
            "max",
            "CPU µs/op, service",
            "database",
            "caller",
            "pgbench, op/s",
            "p50, µs",
            "echo, op/s",
            "befriend / pgbench",
            "by CPU",
            "befriend / echo",
            "by CPU",
        ];
        if with_other {
            titles.extend(["other, op/s", "befriend / other", "by CPU"]);
        }
        line(&titles.iter().map(|title| (*title).to_owned()).collect::<Vec<_>>());
        line(&vec!["---".to_owned(); titles.len()]);
        for (operation, callers) in self.lines() {
            let of = |contender, what: fn(&Phase) -> f64, digits: usize| {
                let value = self.median((operation, contender, callers), what);
                value.map_or_else(String::new, |value| format!("{value:.digits$}"))
            };
            let ratio = |to| {
                let value = self.ratio(operation, to, callers);
                value.map_or_else(String::new, |value| format!("{value:.2}"))
            };
            let by_cpu = |to| {
                let value = self.cpu_ratio(operation, to, callers);
                value.map_or_else(String::new, |value| format!("{value:.2}"))
            };
            let us = Contender::Befriend;
            let mut cells = vec![
                operation.name().to_owned(),
                callers.to_string(),
                of(us, |p| p.rate, 0),
                of(us, |p| p.times.p50, 0),
                of(us, |p| p.times.p95, 0),
                of(us, |p| p.times.p99, 0),
                of(us, |p| p.times.max, 0),
                of(us, |p| p.service_cpu, 0),
                of(us, |p| p.database_cpu, 0),
                of(us, |p| p.client_cpu, 0),
                of(Contender::Pgbench, |p| p.rate, 0),
                of(Contender::Pgbench, |p| p.times.p50, 0),
                of(Contender::Echo, |p| p.rate, 0),
                ratio(Contender::Pgbench),
                by_cpu(Contender::Pgbench),
                ratio(Contender::Echo),
                by_cpu(Contender::Echo),
            ];
            if with_other {
                let other = Contender::Other;
                cells.extend([of(other, |p| p.rate, 0), ratio(other), by_cpu(other)]);
            }
            line(&cells);
        }
        if !self.open.is_empty() {
            let titles = [
                "at a fixed rate",
                "of the rate of 64",
                "op/s",
                "p50, µs",
                "p95",
                "p99",
                "max",
                "unanswered",
            ];
            line(&[]);
            line(&titles.map(str::to_owned));
            line(&vec!["---".to_owned(); titles.len()]);
        }
        for open in &self.open {
            let times = [open.times.p50, open.times.p95, open.times.p99, open.times.max];
            let mut cells = vec![
                open.operation.name().to_owned(),
                open.part.to_string(),
                format!("{:.0}", open.rate),
            ];
            cells.extend(times.map(|time| format!("{time:.0}")));
            cells.push(open.left.to_string());
            line(&cells);
        }
        let text = text.replace("|  |\n", "\n");
        format!(
            "{text}\nResident memory of the service: {:.0} MiB idle, {:.0} MiB at 256 callers.\n",
            self.memory.idle, self.memory.at_256
        )
    }

    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        fs::write(folder.join("results.json"), serde_json::to_string_pretty(self)?)?;
        fs::write(folder.join("results.md"), self.markdown())?;
        Ok(())
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
