//! A file of settings, in TOML: the settings of `befriend serve` and of the database by the names of their
//! flags. The values of the file become the defaults of the flags, so that flags and environment variables
//! win over them.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Arg, Args, Command};
use toml::{Table, Value};

/// Where the file is.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Settings")]
pub struct FileArgs {
    /// A TOML file with settings by the names of their flags, as in: db-connections = 40.
    ///
    /// Flags and environment variables win over it. `befriend config check` shows what comes of it.
    #[arg(long = "config", env = "BEFRIEND_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// Why the file can't be used. No message contains a value, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsFileError {
    /// The file can't be read.
    #[error("--config: can't read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML.
    #[error("--config: {path}: line {line}: {why}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where.
        line: usize,
        /// What the parser says.
        why: String,
    },
    /// The file has a name that is none of a setting.
    #[error("--config: {path}: there is no setting {name}{hint}")]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// ", but there is {name}", or nothing.
        hint: String,
    },
    /// A value is a table, a time, or a list of such.
    #[error("--config: {path}: {name} must be a text, a number, true or false, or a list of these")]
    Value {
        /// The file.
        path: PathBuf,
        /// The setting.
        name: String,
    },
}

/// The settings of a file.
#[derive(Debug)]
pub struct SettingsFile {
    path: PathBuf,
    /// By the name of the flag, without its dashes.
    values: BTreeMap<String, String>,
}

impl SettingsFile {
    /// The file that the arguments of this process name, else the environment; `None` if neither does.
    ///
    /// The arguments are looked at by hand: what the file says decides which of them are complete.
    ///
    /// # Errors
    /// [`SettingsFileError`].
    pub fn of_process(arguments: &[OsString]) -> Result<Option<Self>, SettingsFileError> {
        let variable = std::env::var_os("BEFRIEND_CONFIG").filter(|path| !path.is_empty());
        let path = value_of("--config", arguments).or(variable);
        path.map(|path| Self::read(Path::new(&path))).transpose()
    }

    fn read(path: &Path) -> Result<Self, SettingsFileError> {
        let own = || path.to_owned();
        let text = fs::read_to_string(path)
            .map_err(|source| SettingsFileError::Unreadable { path: own(), source })?;
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let at = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
            SettingsFileError::Syntax { path: own(), line, why: error.message().to_owned() }
        })?;
        let mut values = BTreeMap::new();
        for (name, value) in table {
            let Some(value) = text_of(&value) else {
                return Err(SettingsFileError::Value { path: own(), name });
            };
            values.insert(name, value);
        }
        Ok(Self { path: own(), values })
    }

    /// The file's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file has a setting, which is named as its flag without the dashes.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Makes the file's values the defaults of `command`'s own flags, and of the flags of its subcommands that
    /// stand for the same settings. `arguments` are those of the process.
    ///
    /// # Errors
    /// When the file names what is no setting.
    pub fn apply(
        &self,
        command: Command,
        arguments: &[OsString],
    ) -> Result<Command, SettingsFileError> {
        let mut defaults = BTreeMap::new();
        for (name, value) in &self.values {
            let settings = || settings(&command);
            let Some(setting) = settings().find(|setting| long(setting) == name) else {
                return Err(self.unknown(name, settings().map(long)));
            };
            // A secret and the file that holds it are one setting by two names.
            let other = name.strip_suffix("-file").map_or(format!("{name}-file"), str::to_owned);
            let other = settings().find(|setting| long(setting) == other);
            if !other.is_some_and(|other| is_given(other, arguments)) {
                let variable = setting.get_env().expect("a setting has a variable").to_owned();
                defaults.insert(variable, value.clone());
            }
        }
        Ok(with_defaults(command, &defaults))
    }

    fn unknown<'a>(&self, name: &str, known: impl Iterator<Item = &'a str>) -> SettingsFileError {
        SettingsFileError::Unknown {
            path: self.path.clone(),
            name: name.to_owned(),
            hint: nearest(name, known)
                .map_or(String::new(), |near| format!(", but there is {near}")),
        }
    }
}

/// The flags of a command that are settings: they have a variable too. The file does not name itself.
pub fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_setting =
        |arg: &&Arg| arg.get_env().is_some() && arg.get_long().is_some_and(|long| long != "config");
    command.get_arguments().filter(is_setting)
}

/// The name that is most like this one, if one is.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = known.map(|known| (strsim::jaro(name, known), known));
    let (likeness, nearest) = likeness.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (likeness > 0.8).then_some(nearest)
}

fn long(setting: &Arg) -> &str {
    setting.get_long().unwrap_or_default()
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(yes) => Some(yes.to_string()),
        Value::Array(items) => {
            Some(items.iter().map(text_of).collect::<Option<Vec<_>>>()?.join(","))
        }
        Value::Datetime(_) | Value::Table(_) => None,
    }
}

fn is_given(setting: &Arg, arguments: &[OsString]) -> bool {
    let variable = setting.get_env().and_then(std::env::var_os);
    variable.is_some_and(|value| !value.is_empty())
        || value_of(&format!("--{}", long(setting)), arguments).is_some()
}

/// The value of a flag in the arguments of a process: "--flag value" or "--flag=value".
fn value_of(flag: &str, arguments: &[OsString]) -> Option<OsString> {
    let mut arguments = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == flag {
            return arguments.next().cloned();
        }
        let joined = argument.to_str().and_then(|text| text.strip_prefix(flag)?.strip_prefix('='));
        if let Some(value) = joined {
            return Some(value.into());
        }
    }
    None
}

fn with_defaults(command: Command, defaults: &BTreeMap<std::ffi::OsString, String>) -> Command {
    let with_default = |arg: Arg| {
        let value = arg.get_env().and_then(|variable| defaults.get(variable));
        match value.cloned() {
            // What is hidden in the environment is hidden in the help too.
            Some(value) => {
                let secret = arg.is_hide_env_values_set();
                arg.default_value(value).hide_default_value(secret)
            }
            None => arg,
        }
    };
    let command = command.mut_args(with_default);
    command.mut_subcommands(|subcommand| with_defaults(subcommand, defaults))
}
