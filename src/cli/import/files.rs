//! `befriend import files`.

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{options::OptionArgs, report::print_report};
use crate::{
    cli::{
        core::call, error::CommandError, output::OutputArgs, progress::Progress,
        signals::unless_stopped,
    },
    ops::Core,
    transfer::{self, InvalidValues},
};

#[derive(Args, Debug)]
pub(in crate::cli) struct FilesArgs {
    /// The app key, as "org#app".
    app_key: String,
    /// Files, or folders that hold them.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    import: OptionArgs,
}

/// Imports, and reports what happened. Returns whether every line was imported.
pub(super) async fn import(
    core: &Arc<Core>,
    args: FilesArgs,
    output: OutputArgs,
) -> Result<bool, CommandError> {
    let call = call(core, &args.app_key).await?;
    let sources = transfer::sources(&args.paths)?;
    let options = args.import.options(InvalidValues::Refuse, false);
    let mut progress = Progress::new();
    // An import can be dropped at any point: its open transaction is rolled back.
    let work = Box::pin(transfer::import(&call, &sources, options, &mut progress));
    let report = unless_stopped(work, "the same command goes on from here").await;
    progress.end();
    let report = report??;
    print_report(output, None, &report, options)?;
    Ok(report.is_clean())
}
