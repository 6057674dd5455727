//! Finds the Postgres server programs of the machine: `initdb` and `postgres` in one folder, of major
//! version 15 or newer.
//!
//! Distributions install them outside the PATH, and several majors side by side. Only its own major can read
//! a cluster.

use std::{
    collections::HashSet,
    env,
    ffi::OsString,
    fs, iter,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::error::StartError;

/// The oldest major version that befriend's migrations are tested with.
const OLDEST_MAJOR: u16 = 15;

/// Folders with a subfolder for each major: the parent, the prefix of the subfolder's name before the major,
/// and the path below the subfolder.
const VERSIONED_FOLDERS: [(&str, &str, &str); 5] = [
    ("/usr/lib/postgresql", "", "bin"),          // Debian, Ubuntu
    ("/usr", "pgsql-", "bin"),                   // the PostgreSQL project's RPMs
    ("/opt/homebrew/opt", "postgresql@", "bin"), // Homebrew on Apple silicon
    ("/usr/local/opt", "postgresql@", "bin"),    // Homebrew on Intel
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql@", "bin"), // Homebrew on Linux
];

/// A folder with server programs of one major version.
#[derive(Debug)]
pub(super) struct Binaries {
    pub(super) folder: PathBuf,
    pub(super) major: u16,
}

/// The first usable folder; for an existing cluster (its major and folder) the first one of that major.
///
/// If `PG_BIN_DIR` is set, no other folder is considered.
pub(super) fn find(existing: Option<(u16, &Path)>) -> Result<Binaries, StartError> {
    let mut looked = Vec::new();
    for folder in candidates() {
        match major_in(&folder) {
            Ok(major) if major < OLDEST_MAJOR => {
                looked.push(format!("{} has {major}", folder.display()));
            }
            Ok(major) if existing.is_some_and(|(wanted, _)| wanted != major) => {
                looked.push(format!("{} has {major}", folder.display()));
            }
            Ok(major) => return Ok(Binaries { folder, major }),
            Err(reason) => looked.push(format!("{} {reason}", folder.display())),
        }
    }
    if looked.is_empty() {
        looked.push(
            "PG_BIN_DIR, PATH, pg_config, /usr/lib/postgresql, Homebrew's folders".to_owned(),
        );
    }
    let looked = looked.join(", ");
    Err(match existing {
        Some((major, cluster)) => {
            StartError::MajorNotInstalled { major, cluster: cluster.to_owned(), looked }
        }
        None => StartError::NoBinaries { oldest: OLDEST_MAJOR, looked },
    })
}

/// The folders in the order of preference, each once. Lazy: most starts need the first one only, and
/// `pg_config` takes 20 ms.
fn candidates() -> Box<dyn Iterator<Item = PathBuf>> {
    if let Some(folder) = env::var_os("PG_BIN_DIR").filter(|folder| !folder.is_empty()) {
        return Box::new(iter::once(PathBuf::from(folder)));
    }
    let path = on_path(&env::var_os("PATH").unwrap_or_default()).into_iter();
    let pg_config = iter::once_with(from_pg_config).flatten();
    let versioned = VERSIONED_FOLDERS.iter().flat_map(|(parent, before, after)| {
        let names = fs::read_dir(parent).into_iter().flatten().flatten();
        let names: Vec<String> =
            names.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        let folder = |name: &str| Path::new(parent).join(name).join(after);
        newest_first(before, &names).into_iter().map(folder).collect::<Vec<PathBuf>>()
    });
    let mut seen = HashSet::new();
    let all = path.chain(pg_config).chain(versioned);
    Box::new(all.filter(move |folder| folder.is_dir() && seen.insert(folder.clone())))
}

/// A `postgres` on the PATH is often a link without `initdb` beside it. `initdb` is where the link points to.
fn on_path(path: &OsString) -> Vec<PathBuf> {
    let programs = env::split_paths(path).map(|folder| folder.join("postgres"));
    programs
        .filter_map(|program| Some(fs::canonicalize(program).ok()?.parent()?.to_owned()))
        .collect()
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").stderr(Stdio::null()).output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(folder.trim()))
}

/// The names that consist of `before` and a number, the highest number first: "9" comes after "15".
fn newest_first<'a>(before: &str, names: &'a [String]) -> Vec<&'a str> {
    let major = |name: &str| name.strip_prefix(before)?.parse::<u16>().ok();
    let mut names: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| major(name).is_some()).collect();
    names.sort_by_key(|name| std::cmp::Reverse(major(name)));
    names
}

fn major_in(folder: &Path) -> Result<u16, String> {
    for program in ["postgres", "initdb"] {
        if !folder.join(program).is_file() {
            return Err(format!("has no {program}"));
        }
    }
    let output =
        Command::new(folder.join("postgres")).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("has a postgres that does not run: {error}"))?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(format!("has a postgres that does not run: {}", reason.trim()));
    }
    let line = String::from_utf8_lossy(&output.stdout);
    parse_major(&line).ok_or_else(|| format!("has a postgres of unknown version: {}", line.trim()))
}

/// 15 from `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`, 18 from `postgres (PostgreSQL) 18beta1`.
fn parse_major(line: &str) -> Option<u16> {
    let version = line.split_once("(PostgreSQL) ")?.1;
    let digits = version.find(|c: char| !c.is_ascii_digit()).unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_is_read_from_releases_betas_and_devel_builds() {
        assert_eq!(parse_major("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(parse_major("postgres (PostgreSQL) 18beta1\n"), Some(18));
        assert_eq!(parse_major("postgres (PostgreSQL) 19devel\n"), Some(19));
        assert_eq!(parse_major("postgres (PostgreSQL) 9.6.24\n"), Some(9));
        assert_eq!(parse_major("postgres (SomethingElse) 15.1\n"), None);
        assert_eq!(parse_major("postgres (PostgreSQL) x\n"), None);
    }

    #[test]
    fn versioned_folders_are_tried_newest_first_by_number() {
        let names = ["9", "15", "common", "17"].map(str::to_owned);
        assert_eq!(newest_first("", &names), ["17", "15", "9"]);
        let names =
            ["postgresql@15", "postgresql", "postgresql@17", "openssl@3"].map(str::to_owned);
        assert_eq!(newest_first("postgresql@", &names), ["postgresql@17", "postgresql@15"]);
    }

    #[test]
    fn a_link_on_the_path_leads_to_the_folder_it_points_to() {
        let root = env::temp_dir().join(format!("befriend-binaries-{}", std::process::id()));
        let (real, links) = (root.join("real"), root.join("links"));
        fs::create_dir_all(&real).expect("the temporary folder is writable");
        fs::create_dir_all(&links).expect("the temporary folder is writable");
        fs::write(real.join("postgres"), "").expect("the temporary folder is writable");
        std::os::unix::fs::symlink(real.join("postgres"), links.join("postgres"))
            .expect("the link is new");
        let real = fs::canonicalize(real).expect("it was just made");
        assert_eq!(on_path(&links.into_os_string()), [real]);
        fs::remove_dir_all(root).expect("it is ours");
    }
}
