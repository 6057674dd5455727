//! `befriend export` and `befriend import`: an app's data out of befriend and into it.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Subcommand, ValueEnum};

use super::{
    Failure,
    admin::console_deadline,
    progress::Progress,
    pull::{EasemobArgs, NeteaseArgs, easemob, netease},
};
use crate::{
    domain::AppKey,
    ops::{Call, Core, access::apps, bulk::Existing},
    transfer::{self, Format, Kind, Options, Report, Unkeepable},
};

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// The app key, as "org#app".
    app_key: String,
    /// The folder for users, friends and blocks; made if need be.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The form of the files.
    #[arg(long, value_enum, default_value_t = FormatArg::Jsonl)]
    format: FormatArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArg {
    /// A JSON object a line.
    Jsonl,
    /// Comma-separated values.
    Csv,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Jsonl => Self::JsonLines,
            FormatArg::Csv => Self::Csv,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ImportCommand {
    /// Import files: users*, friends* and blocks*, each as .jsonl or .csv.
    ///
    /// What is there already is counted, and stays as it is; so an import can be repeated, and goes on
    /// where one was broken off. A line that does not go in is reported with file and number, and
    /// stops nothing. The exit code is 0 if everything went in.
    Files(FilesArgs),
    /// Pull users, friends, remarks and blocks out of an app at Easemob.
    ///
    /// What is pulled goes to files of the folder first; when it is broken off, the same command goes on
    /// where it was. Then they are imported, and compared with what is in the app: each difference is
    /// named, and the exit code is 0 if there is none. The secret is taken from --client-secret-file or
    /// BEFRIEND_EASEMOB_CLIENT_SECRET.
    Easemob(EasemobArgs),
    /// Pull friends, remarks and blocks out of an app at NetEase IM, of users named by a file.
    ///
    /// As `import easemob`. NetEase has no list of users, so --users is needed. The secret is taken from
    /// --app-secret-file or BEFRIEND_NETEASE_APP_SECRET.
    Netease(NeteaseArgs),
}

#[derive(Args, Debug)]
pub(super) struct FilesArgs {
    /// The app key, as "org#app".
    app_key: String,
    /// Files, or folders with them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    how: HowArgs,
}

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct HowArgs {
    /// Give entries and users that are there already the texts of the lines.
    #[arg(long)]
    overwrite: bool,
    /// Read and compare with what is in the app, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl HowArgs {
    pub(super) fn options(self, unkeepable: Unkeepable, compare: bool) -> Options {
        Options {
            existing: if self.overwrite { Existing::Overwrite } else { Existing::Keep },
            unkeepable,
            write: !self.dry_run,
            compare: compare || self.dry_run,
        }
    }
}

/// The app as one that calls.
pub(super) async fn call(core: &Arc<Core>, app_key: &str) -> Result<Call, Failure> {
    let app = apps::get(core, &AppKey::parse("app_key", app_key)?).await?;
    Ok(Call { core: Arc::clone(core), app: Arc::new(app), deadline: console_deadline() })
}

pub(super) async fn export(core: &Arc<Core>, args: ExportArgs) -> Result<(), Failure> {
    let call = call(core, &args.app_key).await?;
    let mut progress = Progress::new();
    let exported = transfer::export(&call, &args.out, args.format.into(), &mut progress).await;
    progress.end();
    for (kind, lines) in Kind::ALL.into_iter().zip(exported?.lines) {
        println!("{}: {lines}", kind.as_str());
    }
    Ok(())
}

pub(super) async fn import(core: &Arc<Core>, command: ImportCommand) -> Result<ExitCode, Failure> {
    match command {
        ImportCommand::Files(args) => files(core, args).await,
        ImportCommand::Easemob(args) => easemob(core, args).await,
        ImportCommand::Netease(args) => netease(core, args).await,
    }
}

async fn files(core: &Arc<Core>, args: FilesArgs) -> Result<ExitCode, Failure> {
    let call = call(core, &args.app_key).await?;
    let sources = transfer::sources(&args.paths)?;
    let options = args.how.options(Unkeepable::Refuse, false);
    let mut progress = Progress::new();
    let report = transfer::import(&call, &sources, options, &mut progress).await;
    progress.end();
    let report = report?;
    show(&report, options);
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints what became of everything: a line a kind, then the differences, if it was compared.
pub(super) fn show(report: &Report, options: Options) {
    for (kind, lines) in Kind::ALL.into_iter().zip(report.lines) {
        let tally = lines.tally;
        let mut words = vec![format!("{} lines", lines.read)];
        if options.write {
            words.push(format!("{} added", tally.added));
            words.push(format!("{} there already", tally.already));
            let more = [
                (tally.changed, "changed"),
                (tally.refused, "not taken"),
                (tally.other_sides, "made that only the other side speaks of"),
            ];
            words
                .extend(more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        }
        let more = [(lines.bad, "bad"), (lines.cut, "without a text that can't be kept")];
        words.extend(more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        println!("{}: {}", kind.as_str(), words.join(", "));
    }
    if options.compare {
        match report.differences.values().sum::<u64>() {
            0 => println!("differences: none"),
            all => println!("differences: {all}"),
        }
        for (kind, count) in &report.differences {
            println!("  {kind}: {count}");
        }
    }
}
