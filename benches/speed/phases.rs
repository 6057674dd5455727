//! The run: every phase of every contender, in turns.

use std::{sync::PoisonError, time::Duration};

use clap::ValueEnum as _;
use indicatif::{ProgressBar, ProgressStyle};
use tonic::transport::Channel;

use crate::{
    OPEN_CONNECTIONS,
    common::app::Failure,
    data,
    load::{self, Measured, Times, Work},
    machine::{self, Process},
    operations::Operation,
    report::{Contender, Memory, OpenPhase, Phase, Report},
    setup::{Bench, Cpu},
};

impl Bench<'_> {
    pub async fn run(&self) -> Result<Report, Failure> {
        let flags = self.flags;
        let operations: Vec<Operation> = match flags.operations.as_slice() {
            // Another version may not take JSON yet.
            [] if self.other.is_some() => {
                let all = Operation::value_variants().iter().copied();
                all.filter(|operation| !operation.by_json()).collect()
            }
            [] => Operation::value_variants().to_vec(),
            named => named.to_vec(),
        };
        let contenders: Vec<Contender> = flags
            .contenders
            .iter()
            .copied()
            .chain(self.other.as_ref().map(|_| Contender::Other))
            .collect();
        let phases = operations.len() * flags.callers.len() * flags.rounds;
        // At fixed rates the question is how long gRPC callers wait; pgbench is none.
        let open_contenders: Vec<Contender> =
            contenders.iter().copied().filter(|of| *of != Contender::Pgbench).collect();
        let open = operations.len() * flags.open.len() * open_contenders.len();
        let bar = ProgressBar::new(u64::try_from(phases * contenders.len() + open)?).with_style(
            ProgressStyle::with_template("measuring {msg:40} {wide_bar} {pos}/{len} {elapsed}")?,
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut memory =
            Memory { idle: machine::resident(self.service.0.pid()), ..Memory::default() };
        let mut report = Report { size: flags.size, ..Report::default() };
        for round in 0..flags.rounds {
            for &operation in &operations {
                self.rule.enable(operation.with_rule()).await?;
                let sizes = self.warm_up(operation).await?;
                for &callers in &flags.callers {
                    bar.set_message(format!("{} from {callers}", operation.name()));
                    for &contender in &contenders {
                        let phase = self.phase(contender, operation, sizes, callers, round).await?;
                        report.phases.push(phase);
                        bar.inc(1);
                    }
                    if callers == 256 {
                        memory.at_256 = memory.at_256.max(machine::resident(self.service.0.pid()));
                    }
                }
                if operation.with_rule() {
                    sqlx::query("truncate outbox").execute(&self.pool).await?;
                }
            }
        }
        for &operation in &operations {
            let Some(reached) = report.rate(operation, Contender::Befriend, 64) else { continue };
            self.rule.enable(operation.with_rule()).await?;
            let sizes = self.warm_up(operation).await?;
            for &part in &flags.open {
                bar.set_message(format!("{} at {part} of its rate", operation.name()));
                for &contender in &open_contenders {
                    let rate = reached * part;
                    let measured = self.open(contender, operation, sizes, rate).await?;
                    let (left, times) = (measured.left, Times::of(&measured.times));
                    let phase = OpenPhase { operation, contender, part, rate, left, times };
                    report.open.push(phase);
                    bar.inc(1);
                }
            }
        }
        bar.finish_and_clear();
        report.memory = memory;
        Ok(report)
    }

    /// Has every connection prepare its statements. Returns the sizes of a request and its answer, in
    /// bytes.
    async fn warm_up(&self, operation: Operation) -> Result<(usize, usize), Failure> {
        let mut dice = data::Dice::new(7);
        let work = Work::Call(operation, self.caller.clone());
        let sizes = work.once(&self.service.1[0], &mut dice).await?;
        let time = Duration::from_millis(300);
        for (_, channels) in [Some(&self.service), self.other.as_ref()].into_iter().flatten() {
            load::closed(self.flags.used(channels, 32), &work, 32, time).await?;
        }
        Ok(sizes)
    }

    /// The process to call, with its connections; `None` for pgbench.
    fn process(&self, contender: Contender) -> Option<&(Process, Vec<Channel>)> {
        match contender {
            Contender::Pgbench => None,
            Contender::Echo => Some(&self.echo),
            Contender::Befriend => Some(&self.service),
            Contender::Other => self.other.as_ref(),
        }
    }

    fn work(&self, contender: Contender, operation: Operation, sizes: (usize, usize)) -> Work {
        match contender {
            Contender::Echo => Work::Echo(sizes.0, sizes.1, self.caller.clone()),
            _ => Work::Call(operation, self.caller.clone()),
        }
    }

    /// Calls at a fixed rate. The echo gets the same rate as befriend: its times are those of the
    /// machine and gRPC alone.
    async fn open(
        &self,
        contender: Contender,
        operation: Operation,
        sizes: (usize, usize),
        rate: f64,
    ) -> Result<Measured, Failure> {
        let (_, channels) = self.process(contender).ok_or("pgbench is no service")?;
        let work = self.work(contender, operation, sizes);
        let time = Duration::from_secs(self.flags.seconds * 2);
        load::open(self.flags.used(channels, OPEN_CONNECTIONS), &work, rate, time).await
    }

    fn cpu(&self) -> Cpu {
        Cpu { database: machine::cpu_of_family(self.postgres), client: machine::cpu_of_caller() }
    }

    /// The CPU time that pgbench and Postgres take until all connections are made and each has prepared
    /// its statement. The callers of the services are connected before they are measured, so this time
    /// is subtracted from pgbench's; with 256 connections it is as much as the work itself.
    fn start_of_pgbench(&self, operation: Operation, callers: usize) -> Result<Cpu, Failure> {
        let known = || self.starts.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(&(operation, callers)).copied();
        if let Some(found) = found {
            return Ok(found);
        }
        let before = self.cpu();
        self.pgbench.start(&operation.script(&self.app_id, &self.caller), callers)?;
        // Postgres's server processes end after their client.
        std::thread::sleep(Duration::from_millis(200));
        let after = self.cpu();
        let start = Cpu {
            database: after.database - before.database,
            client: after.client - before.client,
        };
        known().insert((operation, callers), start);
        Ok(start)
    }

    async fn phase(
        &self,
        contender: Contender,
        operation: Operation,
        sizes: (usize, usize),
        callers: usize,
        round: usize,
    ) -> Result<Phase, Failure> {
        let time = Duration::from_secs(self.flags.seconds);
        let process = self.process(contender);
        let start = match process {
            None => tokio::task::block_in_place(|| self.start_of_pgbench(operation, callers))?,
            Some(_) => Cpu::default(),
        };
        let before = self.cpu();
        let service = process.map_or(0.0, |(process, _)| machine::cpu(process.pid()));
        let measured: Measured = match process {
            None => {
                let script = operation.script(&self.app_id, &self.caller);
                tokio::task::block_in_place(|| self.pgbench.run(&script, callers, time))?
            }
            Some((_, channels)) => {
                let work = self.work(contender, operation, sizes);
                load::closed(self.flags.used(channels, callers), &work, callers, time).await?
            }
        };
        let after = self.cpu();
        #[expect(clippy::cast_precision_loss, reason = "a count of calls")]
        let each = |seconds: f64| seconds.max(0.0) * 1e6 / measured.calls.max(1) as f64;
        Ok(Phase {
            operation,
            callers,
            round,
            contender,
            rate: measured.rate(),
            times: Times::of(&measured.times),
            service_cpu: process
                .map_or(0.0, |(process, _)| each(machine::cpu(process.pid()) - service)),
            database_cpu: each(after.database - before.database - start.database),
            client_cpu: each(after.client - before.client - start.client),
        })
    }
}
