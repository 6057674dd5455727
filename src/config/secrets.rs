//! Secrets: each is a setting of its own, or stands in a file that another setting names, as the secrets
//! of Docker and Kubernetes do. A file is read again by whoever asks again.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Args;

use super::{error::SettingError, values::secret};
use crate::domain::{Keyring, Secret};

/// The largest file that is taken for a secret, in bytes.
const LARGEST: u64 = 64 * 1024;

/// The secret that `flag` holds, else the one in the file that `flag` with `-file` names. Blanks and line
/// ends around the secret are no part of it. An empty value counts as absent, because a compose file can't
/// leave a variable out.
///
/// # Errors
/// When both are given, and when the file can't be read, is empty or is too large for a secret.
pub fn secret_of(
    flag: &'static str,
    value: Option<&Secret>,
    file: Option<&Path>,
) -> Result<Option<Secret>, SettingError> {
    let value = value.filter(|value| !value.reveal().is_empty());
    let Some(path) = file else { return Ok(value.cloned()) };
    let refused = |why: String| SettingError::new(format!("{flag}-file"), why);
    if value.is_some() {
        return Err(refused(format!("the secret is given twice: here and by {flag}")));
    }
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_string(&mut text));
    let size = read.map_err(|error| refused(format!("can't read {}: {error}", path.display())))?;
    match text.trim() {
        _ if size as u64 > LARGEST => {
            Err(refused(format!("{} is larger than 64 KiB: that is no secret", path.display())))
        }
        "" => Err(refused(format!("{} is empty", path.display()))),
        secret => Ok(Some(Secret::presented(secret))),
    }
}

/// The key that encrypts secrets in the database: a setting of the service and of the commands that write
/// such secrets.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Access")]
pub struct CredentialsKeyArgs {
    /// The key that encrypts NetEase AppSecrets in the database: 32 bytes in base64, as `openssl rand
    /// -base64 32` prints them.
    ///
    /// Without it no app can have an AppSecret. With the private Postgres befriend generates one and
    /// keeps it in the data folder. To change the key, give several, separated by commas: the first
    /// encrypts, and all of them decrypt.
    #[arg(long, env = "BEFRIEND_CREDENTIALS_KEY", value_name = "KEYS", hide_env_values = true, value_parser = secret)]
    credentials_key: Option<Secret>,

    /// A file that holds --credentials-key.
    #[arg(long, env = "BEFRIEND_CREDENTIALS_KEY_FILE", value_name = "FILE")]
    credentials_key_file: Option<PathBuf>,
}

impl CredentialsKeyArgs {
    /// Takes `generate`'s key where the settings name none.
    ///
    /// # Errors
    /// Those of `generate`.
    pub fn or_else<E>(&mut self, generate: impl FnOnce() -> Result<Secret, E>) -> Result<(), E> {
        let given = self.credentials_key.as_ref().is_some_and(|key| !key.reveal().is_empty());
        if !given && self.credentials_key_file.is_none() {
            self.credentials_key = Some(generate()?);
        }
        Ok(())
    }

    /// The keys that encrypt secrets; none, when the settings name none.
    ///
    /// # Errors
    /// When a key can't be read, or is none.
    pub fn keyring(&self) -> Result<Keyring, SettingError> {
        let (flag, file) = ("--credentials-key", self.credentials_key_file.as_deref());
        let Some(keys) = secret_of(flag, self.credentials_key.as_ref(), file)? else {
            return Ok(Keyring::default());
        };
        Keyring::parse(&keys).ok_or_else(|| {
            let why = "must be 32 bytes in base64, as `openssl rand -base64 32` prints them; several \
                       keys are separated by commas";
            SettingError::new(flag, why)
        })
    }
}
