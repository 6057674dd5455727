//! The options that all imports have.

use clap::Args;

use crate::{
    ops::bulk::Existing,
    transfer::{InvalidValues, Options},
};

#[derive(Args, Clone, Copy, Debug)]
pub(super) struct OptionArgs {
    /// Overwrite the texts of users and entries that exist already.
    #[arg(long)]
    overwrite: bool,
    /// Read, compare with what is in the app, and write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl OptionArgs {
    /// `compare` says whether the import is compared with the app when it has written.
    pub(super) fn options(self, invalid_values: InvalidValues, compare: bool) -> Options {
        Options {
            existing: if self.overwrite { Existing::Overwrite } else { Existing::Keep },
            invalid_values,
            write: !self.dry_run,
            compare: compare || self.dry_run,
        }
    }
}
