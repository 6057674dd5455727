//! Exporting: from an app to files of a folder.

use std::{
    fs::{self, File},
    path::Path,
};

use futures_util::TryStreamExt as _;

use super::{
    error::TransferError,
    files::{Format, Kind},
    progress::ProgressSink,
    write::Writer,
};
use crate::{
    domain::Record,
    ops::{Call, bulk::Export},
};

/// How many lines were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// The count of each kind, in the order of [`Kind::ALL`].
    pub lines: [u64; 3],
}

/// Writes an app as of one moment to files of the folder, which is created if missing. A file is called
/// "….part" until all of them are complete.
///
/// # Errors
/// [`TransferError`], also when the folder holds such a file already.
pub async fn export(
    call: &Call,
    folder: &Path,
    format: Format,
    progress: &mut dyn ProgressSink,
) -> Result<Exported, TransferError> {
    fs::create_dir_all(folder).map_err(TransferError::file(folder))?;
    let whole = Kind::ALL.map(|kind| folder.join(kind.as_str()).with_extension(format.extension()));
    if let Some(path) = whole.iter().find(|path| path.exists()) {
        return Err(TransferError::content(path, "is there already"));
    }
    let parts = whole.each_ref().map(|path| path.with_added_extension("part"));
    let mut writers = Vec::new();
    for (kind, path) in Kind::ALL.into_iter().zip(&parts) {
        let file = File::create(path).map_err(TransferError::file(path))?;
        writers.push(Writer::new(file, kind, format).map_err(TransferError::file(path))?);
    }
    progress.begin("exporting", None);
    let mut exported = Exported::default();
    let mut session = Export::open(&call.core).await?;
    let mut records = session.records(call);
    while let Some(record) = records.try_next().await? {
        let at = match record {
            Record::User(_) => 0,
            Record::Friend(_) => 1,
            Record::Block(_) => 2,
        };
        writers[at].write(&record).map_err(TransferError::file(&parts[at]))?;
        exported.lines[at] += 1;
        progress.advance(1);
    }
    for (writer, part) in writers.into_iter().zip(&parts) {
        writer.finish().map_err(TransferError::file(part))?;
    }
    for (part, whole) in parts.iter().zip(&whole) {
        fs::rename(part, whole).map_err(TransferError::file(whole))?;
    }
    Ok(exported)
}
