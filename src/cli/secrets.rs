//! Secrets in files: those that befriend generates and keeps beside a private Postgres, and those that
//! an operator hands to a command.

use std::{
    env, fs,
    io::{self, Write as _},
    path::Path,
};

use tempfile::NamedTempFile;

use super::error::CommandError;
use crate::{
    config,
    domain::{Secret, SecretKind},
};

/// A file with fewer characters than this holds no secret of ours.
const SHORTEST: usize = 32;

/// The secret in the file `name` of the data folder; the first call generates it. Only the owner can
/// read the file. A crash leaves the file whole or absent.
pub(super) fn load_or_generate(
    data_dir: &Path,
    name: &str,
    kind: SecretKind,
) -> Result<Secret, CommandError> {
    let path = data_dir.join(name);
    let failed = |error: io::Error| format!("can't keep a secret in {}: {error}", path.display());
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().len() >= SHORTEST => return Ok(Secret::presented(text.trim())),
        // A damaged file is not replaced: a new key could not open what the old one sealed.
        Ok(_) => {
            let path = path.display();
            let why = format!("{path} holds no secret: remove the file to have a new secret made");
            return Err(why.into());
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error).into()),
        Err(_) => {}
    }
    let secret = Secret::generate(kind);
    let write = || {
        let mut file = NamedTempFile::new_in(data_dir)?;
        file.write_all(secret.reveal().as_bytes())?;
        file.as_file().sync_all()?;
        // Of two processes that start at once one writes its secret; the other takes that one.
        match file.persist_noclobber(&path).map_err(io::Error::from) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    write().map_err(failed)?;
    load_or_generate(data_dir, name, kind)
}

/// The secret in the file that `flag` with `-file` names, else that of an environment variable. No flag takes
/// the secret itself: every user of the machine can read the command lines of processes.
pub(super) fn from_file_or_variable(
    flag: &'static str,
    file: Option<&Path>,
    variable: &str,
) -> Result<Secret, CommandError> {
    let value = env::var(variable).ok().map(|text| Secret::presented(text.trim()));
    let secret = config::secret_of(flag, value.as_ref(), file)?;
    let missing = || format!("the secret is missing: set {variable}, or give {flag}-file");
    Ok(secret.ok_or_else(missing)?)
}
