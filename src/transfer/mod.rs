//! Moving data: files of users, friends and blocks, out of an app and into one.
//!
//! The form of the files is known here and nowhere else (`docs/moving-data.md` describes it). What
//! they hold is parsed to records of the domain, and goes in by [`crate::ops::bulk`].

mod export;
mod fields;
mod import;
mod read;
mod write;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

pub use export::{Exported, export};
pub use fields::Unkeepable;
pub(crate) use fields::{BlockLine, FriendLine, UserLine, rfc3339};
pub use import::{Lines, Options, Report, import};
pub use write::Writer;

use crate::domain::Error;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Users.
    Users,
    /// Friends, one direction a line.
    Friends,
    /// Blocks, of each owner the oldest first.
    Blocks,
}

impl Kind {
    /// All kinds, in the order in which they go in.
    pub const ALL: [Self; 3] = [Self::Users, Self::Friends, Self::Blocks];

    /// What files of this kind are called, before anything else in their names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Friends => "friends",
            Self::Blocks => "blocks",
        }
    }
}

/// In which form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object a line.
    JsonLines,
    /// Comma-separated values with a line of column names.
    Csv,
}

impl Format {
    /// How the names of such files end.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::JsonLines => "jsonl",
            Self::Csv => "csv",
        }
    }
}

/// A file to import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// What it holds.
    pub kind: Kind,
    /// In which form.
    pub format: Format,
}

/// Why data could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// A file can't be read or written.
    #[error("{}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not what its name says.
    #[error("{}: {why}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// befriend or its database failed.
    #[error(transparent)]
    Befriend(#[from] Error),
}

impl TransferError {
    /// An error of a file.
    pub fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::File { path: path.to_owned(), error }
    }

    /// A complaint about a file.
    pub fn content(path: &Path, why: impl fmt::Display) -> Self {
        Self::Content { path: path.to_owned(), why: why.to_string() }
    }
}

/// Who is told how far it is, and what does not go in.
pub trait Audience: Send {
    /// Something begins, of so many lines if that is known.
    fn begin(&mut self, what: &str, total: Option<u64>);
    /// So many lines more are through.
    fn advance(&mut self, lines: u64);
    /// Something did not go in, or differs.
    fn problem(&mut self, problem: &str);
}

/// The files of these paths, users first. Of a folder those whose names say what they hold, as
/// "friends.jsonl" or "users-2.csv"; a file that is named itself must say so too.
///
/// # Errors
/// [`TransferError`] for a path that can't be read, or where there is nothing to import.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, TransferError> {
    let mut sources = Vec::new();
    for path in paths {
        if fs::metadata(path).map_err(TransferError::file(path))?.is_dir() {
            let before = sources.len();
            for entry in fs::read_dir(path).map_err(TransferError::file(path))? {
                let entry = entry.map_err(TransferError::file(path))?;
                sources.extend(source(&entry.path()));
            }
            if sources.len() == before {
                let why = "holds no users, friends or blocks as .jsonl or .csv";
                return Err(TransferError::content(path, why));
            }
        } else {
            sources.push(source(path).ok_or_else(|| {
                let why = "the name must begin with users, friends or blocks, and end with .jsonl \
                           or .csv";
                TransferError::content(path, why)
            })?);
        }
    }
    sources.sort_by(|a, b| (a.kind, &a.path).cmp(&(b.kind, &b.path)));
    sources.dedup();
    if sources.len() > usize::from(u16::MAX) {
        return Err(TransferError::content(&sources[0].path, "is one of too many files"));
    }
    Ok(sources)
}

fn source(path: &Path) -> Option<Source> {
    let name = path.file_name()?.to_str()?;
    let (stem, extension) = name.rsplit_once('.')?;
    let format =
        [Format::JsonLines, Format::Csv].into_iter().find(|f| f.extension() == extension)?;
    let kind = Kind::ALL.into_iter().find(|kind| {
        let rest = stem.strip_prefix(kind.as_str());
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    })?;
    Some(Source { path: path.to_owned(), kind, format })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_says_what_it_holds_and_in_which_form() {
        let of = |name: &str| source(Path::new(name)).map(|s| (s.kind, s.format));
        assert_eq!(of("a/users.jsonl"), Some((Kind::Users, Format::JsonLines)));
        assert_eq!(of("friends-2.csv"), Some((Kind::Friends, Format::Csv)));
        assert_eq!(of("blocks.old.csv"), Some((Kind::Blocks, Format::Csv)));
        for other in
            ["users", "users.txt", "userstories.csv", "friends.jsonl.part", ".csv", "x.csv"]
        {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
