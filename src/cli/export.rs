//! `befriend export`: writes the users, friends and blocks of an app to files.

use std::{path::PathBuf, sync::Arc};

use clap::{Args, ValueEnum};

use serde_json::json;

use super::{
    core::call, error::CommandError, output::OutputArgs, progress::Progress,
    signals::unless_stopped,
};
use crate::{
    ops::Core,
    transfer::{self, Format, Kind},
};

#[derive(Args, Debug)]
pub(super) struct ExportArgs {
    /// The app key, as "org#app".
    app_key: String,
    /// The folder for the files of users, friends and blocks. Created if missing.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// The format of the files.
    #[arg(long, value_enum, default_value_t = FormatArg::Jsonl)]
    format: FormatArg,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatArg {
    /// One JSON object a line.
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

pub(super) async fn export(core: &Arc<Core>, args: ExportArgs) -> Result<(), CommandError> {
    let call = call(core, &args.app_key).await?;
    let mut progress = Progress::new();
    let work = Box::pin(transfer::export(&call, &args.out, args.format.into(), &mut progress));
    let exported = unless_stopped(work, "the same command exports again from the start").await;
    progress.end();
    let lines = Kind::ALL.into_iter().zip(exported??.lines);
    Ok(args.output.members(lines.map(|(kind, lines)| (kind.as_str(), json!(lines))))?)
}
