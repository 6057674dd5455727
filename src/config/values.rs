//! Values of settings as they are written: durations, tokens, filters.

use std::{convert::Infallible, fmt, time::Duration};

use crate::domain::{Secret, parse_duration, render_duration};

/// A value that `--help` can show the way it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<T>(pub T);

impl fmt::Display for Shown<Duration> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&render_duration(self.0))
    }
}

/// Reads "250ms", "30s", "5m", "2h" or "1d".
///
/// # Errors
/// A sentence for the user.
pub fn any_duration(text: &str) -> Result<Shown<Duration>, String> {
    parse_duration(text).map(Shown)
}

/// Reads a duration above zero.
pub(super) fn duration(text: &str) -> Result<Shown<Duration>, String> {
    match any_duration(text)? {
        Shown(Duration::ZERO) => Err("must be more than nothing".to_owned()),
        some => Ok(some),
    }
}

pub(super) fn burst(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("must be a number between 0 and 60".to_owned()),
    }
}

/// Takes a secret as it is. clap would show one that it refuses, so [`ServeArgs::check`] refuses it.
///
/// # Errors
/// None.
pub fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::presented(text))
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    match text.parse::<tracing_subscriber::filter::Targets>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_some_durations_may_be_nothing() {
        assert!(any_duration("0s").is_ok());
        assert!(duration("0s").is_err());
    }
}
