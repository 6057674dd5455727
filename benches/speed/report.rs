//! The results, as JSON and as tables.

use std::{fmt::Write as _, fs, path::Path};

use serde::Serialize;

use crate::{common::app::Failure, data::Size, load::Times, operations::Operation};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Contender {
    /// The database alone, with one prepared statement.
    Pgbench,
    /// tonic alone, with messages of the same size.
    Echo,
    /// The service, as built from this checkout.
    Befriend,
    /// Another build of the service.
    #[value(skip)]
    Other,
}

/// One contender's closed loop, for a time.
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
    /// CPU time of the callers, in microseconds an operation.
    pub client_cpu: f64,
}

impl Phase {
    /// CPU time of all processes, in microseconds an operation. It bounds the rate on a machine with a
    /// given number of cores, and other work on the machine changes it little.
    fn cpu(&self) -> f64 {
        self.service_cpu + self.database_cpu + self.client_cpu
    }
}

/// One contender's open loop, at a fixed rate.
#[derive(Clone, Debug, Serialize)]
pub struct OpenPhase {
    pub operation: Operation,
    pub contender: Contender,
    /// The rate as a part of what 64 callers of befriend reach.
    pub part: f64,
    /// Calls a second.
    pub rate: f64,
    /// Calls that were refused because too many were under way, or had no answer at the end.
    pub left: u64,
    /// From the moment at which a call was due, in microseconds.
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

/// The ratios of an operation: medians over the rounds in which both contenders were measured.
#[derive(Clone, Copy, Debug, Serialize)]
struct Summary {
    operation: Operation,
    callers: usize,
    to_pgbench: Option<f64>,
    to_pgbench_by_cpu: Option<f64>,
    at_best: Option<f64>,
    to_echo: Option<f64>,
    to_echo_by_cpu: Option<f64>,
    to_other: Option<f64>,
    to_other_by_cpu: Option<f64>,
}

/// The content of results.json.
#[derive(Serialize)]
struct Results<'a> {
    #[serde(flatten)]
    report: &'a Report,
    summary: Vec<Summary>,
}

const AT_BEST: &str = "at best: befriend's rate over pgbench's, by CPU time, if befriend cost no more than \
                     the echo and its own database's work.";

impl Report {
    fn of(&self, operation: Operation, contender: Contender, callers: usize) -> Vec<&Phase> {
        let matching = |p: &&Phase| {
            p.operation == operation && p.contender == contender && p.callers == callers
        };
        self.phases.iter().filter(matching).collect()
    }

    /// The median of a figure over the rounds.
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

    /// befriend's rate over another contender's: the median of the ratios of each round.
    fn ratio(&self, operation: Operation, to: Contender, callers: usize) -> Option<f64> {
        let ours = self.of(operation, Contender::Befriend, callers);
        median(ours.into_iter().filter_map(|our| Some(our.rate / self.beside(our, to)?.rate)))
    }

    /// befriend's rate over pgbench's if befriend cost no more than the echo and its own database's work:
    /// the median of the ratios of each round.
    fn at_best(&self, operation: Operation, callers: usize) -> Option<f64> {
        let ours = self.of(operation, Contender::Befriend, callers);
        median(ours.into_iter().filter_map(|our| {
            let echo = self.beside(our, Contender::Echo)?;
            let least = echo.service_cpu + echo.client_cpu + our.database_cpu;
            Some(self.beside(our, Contender::Pgbench)?.cpu() / least)
        }))
    }

    /// The phase of another contender in the same round.
    fn beside(&self, our: &Phase, other: Contender) -> Option<&Phase> {
        let theirs = self.of(our.operation, other, our.callers);
        theirs.into_iter().find(|their| their.round == our.round)
    }

    fn summary(&self) -> Vec<Summary> {
        let of = |(operation, callers)| {
            let ratio = |to| self.ratio(operation, to, callers);
            let by_cpu = |to| self.cpu_ratio(operation, to, callers);
            Summary {
                operation,
                callers,
                to_pgbench: ratio(Contender::Pgbench),
                to_pgbench_by_cpu: by_cpu(Contender::Pgbench),
                at_best: self.at_best(operation, callers),
                to_echo: ratio(Contender::Echo),
                to_echo_by_cpu: by_cpu(Contender::Echo),
                to_other: ratio(Contender::Other),
                to_other_by_cpu: by_cpu(Contender::Other),
            }
        };
        self.lines().into_iter().map(of).collect()
    }

    /// Another contender's CPU time for an operation over befriend's, both medians over the rounds.
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
        let mut text = self.closed();
        let _ = writeln!(text, "\n{AT_BEST}");
        if !self.open.is_empty() {
            let _ = write!(text, "\n{}", self.at_fixed_rates());
        }
        let Memory { idle, at_256 } = self.memory;
        let _ = write!(text, "\nResident memory of the service: {idle:.0} MiB idle");
        if at_256 > 0.0 {
            let _ = write!(text, ", {at_256:.0} MiB at 256 callers");
        }
        text.push_str(".\n");
        text
    }

    /// The table of the closed loops.
    fn closed(&self) -> String {
        let with_other = self.has(Contender::Other);
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
            "at best",
            "befriend / echo",
            "by CPU",
        ];
        if with_other {
            titles.extend(["other, op/s", "befriend / other", "by CPU"]);
        }
        let mut table = Table::new(&titles);
        for summary in self.summary() {
            let Summary { operation, callers, .. } = summary;
            let of = |contender, what: fn(&Phase) -> f64| {
                cell(self.median((operation, contender, callers), what), 0)
            };
            let us = Contender::Befriend;
            let mut cells = vec![
                operation.name().to_owned(),
                callers.to_string(),
                of(us, |p| p.rate),
                of(us, |p| p.times.p50),
                of(us, |p| p.times.p95),
                of(us, |p| p.times.p99),
                of(us, |p| p.times.max),
                of(us, |p| p.service_cpu),
                of(us, |p| p.database_cpu),
                of(us, |p| p.client_cpu),
                of(Contender::Pgbench, |p| p.rate),
                of(Contender::Pgbench, |p| p.times.p50),
                of(Contender::Echo, |p| p.rate),
                cell(summary.to_pgbench, 2),
                cell(summary.to_pgbench_by_cpu, 2),
                cell(summary.at_best, 2),
                cell(summary.to_echo, 2),
                cell(summary.to_echo_by_cpu, 2),
            ];
            if with_other {
                cells.push(of(Contender::Other, |p| p.rate));
                cells.extend([cell(summary.to_other, 2), cell(summary.to_other_by_cpu, 2)]);
            }
            table.line(&cells);
        }
        table.0
    }

    /// The table of the open loops: a line has the times of all contenders at the same rate.
    fn at_fixed_rates(&self) -> String {
        let contenders = [
            (Contender::Befriend, "befriend p50, µs"),
            (Contender::Echo, "echo p50, µs"),
            (Contender::Other, "other p50, µs"),
        ];
        let contenders: Vec<_> = contenders.into_iter().filter(|(of, _)| self.has(*of)).collect();
        let mut titles = vec!["at a fixed rate", "of the rate of 64", "op/s"];
        for (_, title) in &contenders {
            titles.extend([title, "p95", "p99", "max", "unanswered"]);
        }
        let mut table = Table::new(&titles);
        for ours in self.open.iter().filter(|open| open.contender == Contender::Befriend) {
            let mut cells = vec![
                ours.operation.name().to_owned(),
                ours.part.to_string(),
                format!("{:.0}", ours.rate),
            ];
            for (contender, _) in &contenders {
                let found = self.open.iter().find(|open| {
                    (open.operation, open.part, open.contender)
                        == (ours.operation, ours.part, *contender)
                });
                let of = |what: fn(&Times) -> f64| cell(found.map(|open| what(&open.times)), 0);
                cells.extend([of(|t| t.p50), of(|t| t.p95), of(|t| t.p99), of(|t| t.max)]);
                cells.push(found.map_or_else(String::new, |open| open.left.to_string()));
            }
            table.line(&cells);
        }
        table.0
    }

    fn has(&self, contender: Contender) -> bool {
        self.phases.iter().any(|phase| phase.contender == contender)
    }

    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        let results = Results { report: self, summary: self.summary() };
        fs::write(folder.join("results.json"), serde_json::to_string_pretty(&results)?)?;
        fs::write(folder.join("results.md"), self.markdown())?;
        Ok(())
    }
}

/// A table in Markdown.
struct Table(String);

impl Table {
    fn new(titles: &[&str]) -> Self {
        let mut table = Self(String::new());
        table.line(titles);
        table.line(&vec!["---"; titles.len()]);
        table
    }

    fn line<S: AsRef<str>>(&mut self, cells: &[S]) {
        let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
        let _ = writeln!(self.0, "| {} |", cells.join(" | "));
    }
}

/// A figure; empty where nothing was measured.
fn cell(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}
