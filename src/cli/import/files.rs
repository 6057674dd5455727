//! `befriend import files`.

use std::{path::PathBuf, sync::Arc};

use clap::Args;

use super::{options::OptionArgs, report::print_report};
use crate::{
    cli::{core::call, error::CommandError, output::OutputArgs, progress::Progress},
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
    let report = transfer::import(&call, &sources, options, &mut progress).await;
    progress.end();
    let report = report?;
    print_report(output, None, &report, options)?;
    Ok(report.is_clean())
}
