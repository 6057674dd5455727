//! Values of settings as they are written: durations, tokens, filters.

use std::{convert::Infallible, fmt, time::Duration};

use crate::domain::Secret;

/// A value that `--help` can show the way it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<T>(pub T);

impl fmt::Display for Shown<Duration> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")] {
            if millis > 0 && millis.is_multiple_of(unit) {
                return write!(f, "{}{name}", millis / unit);
            }
        }
        write!(f, "{millis}ms")
    }
}

/// Reads "250ms", "30s", "5m", "2h" or "1d".
///
/// # Errors
/// A sentence for the user.
pub fn any_duration(text: &str) -> Result<Shown<Duration>, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("must be a number and a unit: ms, s, m, h or d (as 30s)".to_owned()),
    };
    let amount: u64 = digits.parse().map_err(|_| "must start with a whole number".to_owned())?;
    let millis = amount.checked_mul(millis).filter(|ms| *ms <= 366 * 86_400_000);
    millis
        .map(|ms| Shown(Duration::from_millis(ms)))
        .ok_or_else(|| "must be at most 366d".to_owned())
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
    fn a_duration_is_read_and_shown_alike() {
        for text in ["250ms", "30s", "5m", "2h", "1d", "90s", "0ms"] {
            assert_eq!(any_duration(text).unwrap().to_string(), text);
        }
        for bad in ["", "5", "s", "-1s", "1.5s", "1w", "99999999999999999999s", "400d", "5 s"] {
            assert!(any_duration(bad).is_err(), "{bad:?} was taken");
        }
        assert!(duration("0s").is_err());
    }
}
