//! Parsers for the values of settings.

use std::{convert::Infallible, time::Duration};

use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::domain::{Secret, parse_duration};

/// Parses a duration above zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        Duration::ZERO => Err("must be above zero".to_owned()),
        duration => Ok(duration),
    }
}

/// Parses a number of seconds from 0 to 60.
pub(super) fn burst(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=60.0).contains(&seconds) => Ok(seconds),
        _ => Err("must be a number between 0 and 60".to_owned()),
    }
}

/// Accepts any secret. clap would print a value that its parser refuses, so secrets are checked later.
///
/// # Errors
/// None.
pub fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::presented(text))
}

/// Checks a log filter, and returns its text. A word alone has to be a level: a mistyped one would be taken for
/// a module, and nothing else would be logged.
///
/// # Errors
/// What is wrong with it.
pub fn log_filter(text: &str) -> Result<String, String> {
    for directive in text.split(',').map(str::trim) {
        let is_level = !directive.is_empty() && directive.parse::<LevelFilter>().is_ok();
        if !directive.contains('=') && !is_level {
            return Err(format!(
                "{directive:?} is neither a level (off, error, warn, info, debug, trace) nor module=level"
            ));
        }
    }
    match text.parse::<Targets>() {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_level_is_refused_and_not_taken_for_a_module() {
        for good in ["info", "WARN", "info,befriend::ops=debug", "off", "warn, sqlx=trace"] {
            assert_eq!(log_filter(good).as_deref(), Ok(good));
        }
        for bad in ["", "debgu", "befriend", "info,", "befriend=loud", "info,debgu"] {
            assert!(log_filter(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_duration_of_zero_is_refused_where_it_would_stop_the_service() {
        assert!(positive_duration("0s").is_err());
        assert_eq!(positive_duration("1ms"), Ok(Duration::from_millis(1)));
    }
}
