//! How fast befriend is, compared with what Postgres and tonic alone reach on this machine: `make
//! bench`.
//!
//! The callers, the service and its private Postgres with fsync share one machine, so the figures of
//! one run compare with each other only. The contenders take turns in short phases, round after round,
//! and each ratio is of two phases of the same round: other work of the machine slows both alike.

mod data;
mod echo;
mod load;
mod machine;
mod operations;
mod pgbench;
mod phases;
mod plots;
mod report;
mod setup;
mod wire;
#[path = "../common"]
mod common {
    pub mod app;
    pub mod postgres;
}

use std::path::PathBuf;

use befriend::private_postgres::PrivatePostgres;
use clap::Parser;
use tonic::transport::Channel;

use self::{
    common::{
        app::Failure,
        postgres::{Options, with_postgres},
    },
    data::Size,
    operations::Operation,
    report::Contender,
    setup::Bench,
};

const APP: &str = "bench#speed";

/// How many connections an open loop uses if each caller has a connection of its own.
const OPEN_CONNECTIONS: usize = 64;

/// In the data set, friends in the ring are less than this far apart.
const PAGE_TOP: i64 = 1000;

#[derive(Parser)]
#[command(about = "Measures befriend beside pgbench and a tonic echo, in one interleaved run.")]
struct Flags {
    #[command(flatten)]
    size: Size,
    /// The operations to measure, separated by commas; all if none is named.
    #[arg(long, value_enum, value_delimiter = ',')]
    operations: Vec<Operation>,
    /// How many callers at once, separated by commas.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 32, 64, 256])]
    callers: Vec<usize>,
    /// How often each operation is measured.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each phase is, in seconds; a phase at a fixed rate is twice as long.
    #[arg(long, default_value_t = 1)]
    seconds: u64,
    /// The rates to measure with an open loop, as parts of the rate that 64 callers reach.
    #[arg(long, value_delimiter = ',', default_values_t = [0.25, 0.5, 0.75, 0.9])]
    open: Vec<f64>,
    /// How many connections the callers share; 0 gives each caller a connection of its own.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// The contenders to measure, separated by commas.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["pgbench", "echo", "befriend"])]
    contenders: Vec<Contender>,
    /// Another build of befriend, to be measured beside this one.
    #[arg(long)]
    other: Option<PathBuf>,
    /// The folder of the database; a later run with the same folder uses its data set again.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Where to write results.json, results.md and the plots.
    #[arg(long, default_value = "target/bench")]
    output: PathBuf,
    /// cargo passes this flag to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
    /// "echo" makes this process the echo service.
    #[arg(hide = true)]
    role: Option<String>,
}

fn main() -> Result<(), Failure> {
    let flags = Flags::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    if flags.role.as_deref() == Some("echo") {
        return runtime.block_on(echo::serve());
    }
    let options = Options { data_dir: flags.data.clone(), fsync: true, max_connections: 400 };
    with_postgres(options, |postgres, _| runtime.block_on(measure(&flags, postgres)))
}

async fn measure(flags: &Flags, postgres: &PrivatePostgres) -> Result<(), Failure> {
    let report = Bench::prepare(flags, postgres).await?.run().await?;
    report.write(&flags.output)?;
    plots::draw(&report, &flags.output)?;
    println!("{}", report.markdown());
    println!("Also in {}: results.json, results.md and the plots.", flags.output.display());
    Ok(())
}

impl Flags {
    /// How many connections to make to each service.
    fn all_connections(&self) -> usize {
        match self.connections {
            0 => self.callers.iter().copied().max().unwrap_or(1).max(OPEN_CONNECTIONS),
            shared => shared,
        }
    }

    /// The connections that so many callers use.
    fn used<'a>(&self, channels: &'a [Channel], callers: usize) -> &'a [Channel] {
        match self.connections {
            0 => &channels[..callers.clamp(1, channels.len())],
            _ => channels,
        }
    }
}
