//! The files of a move: what they hold and in which format, as their names say.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::error::TransferError;

/// What the lines of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Users.
    Users,
    /// Entries of friend lists: one direction of a friendship a line.
    Friends,
    /// Blocks, the oldest of each owner first.
    Blocks,
}

impl Kind {
    /// All kinds, in the order in which they are imported.
    pub const ALL: [Self; 3] = [Self::Users, Self::Friends, Self::Blocks];

    /// What the names of files of this kind begin with.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Friends => "friends",
            Self::Blocks => "blocks",
        }
    }
}

/// The format of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    JsonLines,
    /// Comma-separated values with a line of column names.
    Csv,
}

impl Format {
    /// What the names of such files end with, after the dot.
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
    /// Its path.
    pub path: PathBuf,
    /// What its lines are.
    pub kind: Kind,
    /// Its format.
    pub format: Format,
}

/// The files to import, users first. A path is a file or a folder. Pipes and devices are refused: an import
/// may have to read a file again, and nobody knows where they end. A file's name must say what the file
/// holds, as "friends.jsonl" or "users-2.csv"; other files of a folder are left out.
///
/// # Errors
/// [`TransferError`] for a path that can't be read, and for one where there is nothing to import.
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
    for Source { path, .. } in &sources {
        if !fs::metadata(path).map_err(TransferError::file(path))?.is_file() {
            return Err(TransferError::content(path, "is not a regular file"));
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
