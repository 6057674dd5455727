//! Parsers for the values of settings.

use std::{convert::Infallible, time::Duration};

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

/// Checks a log filter, and returns its text.
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
    fn a_duration_of_zero_is_refused_where_it_would_stop_the_service() {
        assert!(positive_duration("0s").is_err());
        assert_eq!(positive_duration("1ms"), Ok(Duration::from_millis(1)));
    }
}
