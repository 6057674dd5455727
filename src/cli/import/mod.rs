//! `befriend import`: brings users, friends and blocks into an app, from files or from another
//! service.

mod files;
mod options;
mod pull;
mod report;

use std::{process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};

use self::{
    files::FilesArgs,
    pull::{EasemobArgs, NetEaseArgs},
};
use super::{error::CommandError, output::OutputArgs};
use crate::ops::Core;

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// Import files: users*, friends* and blocks*, each as .jsonl or .csv.
    ///
    /// What the app has already is counted and stays as it is, so that an import can be repeated, and
    /// an import that broke off can be continued. A line that can't be imported is reported with file
    /// and number, and the import goes on. The exit code is 0 if every line was imported.
    Files(FilesArgs),
    /// Pull users, friends, remarks and blocks out of an app at Easemob.
    ///
    /// The data is pulled to files of the folder first. If the command breaks off, the same command
    /// continues where it stopped. Then the files are imported, and compared with what is in the app:
    /// each difference is named, and the exit code is 0 if there is none. The secret is taken from
    /// --client-secret-file or BEFRIEND_EASEMOB_CLIENT_SECRET.
    Easemob(EasemobArgs),
    /// Pull friends, remarks and blocks out of an app at NetEase IM, for the users that a file names.
    ///
    /// Works as `import easemob`. NetEase's API can't list users, so --users is needed. The secret is
    /// taken from --app-secret-file or BEFRIEND_NETEASE_APP_SECRET.
    #[command(name = "netease")]
    NetEase(NetEaseArgs),
}

pub(super) async fn import(core: &Arc<Core>, args: ImportArgs) -> Result<ExitCode, CommandError> {
    let output = args.output;
    let clean = match args.command {
        ImportCommand::Files(args) => files::import(core, args, output).await?,
        ImportCommand::Easemob(args) => pull::easemob(core, args, output).await?,
        ImportCommand::NetEase(args) => pull::netease(core, args, output).await?,
    };
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
