//! Out of an app, into a folder.

use std::{
    fs::{self, File},
    path::Path,
};

use futures_util::TryStreamExt as _;

use super::{Audience, Format, Kind, TransferError, Writer};
use crate::{
    domain::Record,
    ops::{Call, bulk::Export},
};

/// How many lines were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Of each kind, in the order of [`Kind::ALL`].
    pub lines: [u64; 3],
}

/// Writes an app as of one moment into the folder, which is made if need be. The files have their
/// names once they are whole.
///
/// # Errors
/// [`TransferError`], also when a file of such a name is there already.
pub async fn export(
    call: &Call,
    folder: &Path,
    format: Format,
    audience: &mut dyn Audience,
) -> Result<Exported, TransferError> {
    fs::create_dir_all(folder).map_err(TransferError::file(folder))?;
    let whole = Kind::ALL.map(|kind| folder.join(kind.as_str()).with_extension(format.extension()));
    if let Some(there) = whole.iter().find(|path| path.exists()) {
        return Err(TransferError::content(there, "is there already"));
    }
    let parts = whole.each_ref().map(|path| path.with_added_extension("part"));
    let mut writers = Vec::new();
    for (kind, path) in Kind::ALL.into_iter().zip(&parts) {
        let file = File::create(path).map_err(TransferError::file(path))?;
        writers.push(Writer::new(file, kind, format).map_err(TransferError::file(path))?);
    }
    audience.begin("exporting", None);
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
        audience.advance(1);
    }
    for (writer, part) in writers.into_iter().zip(&parts) {
        writer.finish().map_err(TransferError::file(part))?;
    }
    for (part, whole) in parts.iter().zip(&whole) {
        fs::rename(part, whole).map_err(TransferError::file(whole))?;
    }
    Ok(exported)
}
