//! Durations as people write them: a whole number with a unit, as "250ms", "30s", "5m", "2h" or "1d".

use std::time::Duration;

/// Each unit and its length in milliseconds, the longest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

/// The longest duration that can be written: 366 days, so that arithmetic on dates can't overflow.
const LONGEST: u64 = 366 * 86_400_000;

/// Reads a duration.
///
/// # Errors
/// A sentence for the person who wrote the duration.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let (_, millis) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or("must be a number and a unit: ms, s, m, h or d (as 30s)")?;
    let amount: u64 = digits.parse().map_err(|_| "must start with a whole number")?;
    match amount.checked_mul(*millis) {
        Some(millis @ ..=LONGEST) => Ok(Duration::from_millis(millis)),
        _ => Err("must be at most 366d".to_owned()),
    }
}

/// Writes a duration in the longest unit that needs no fraction. What is below a millisecond is left
/// out.
#[must_use]
pub fn render_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let fits = |unit: &u64| millis > 0 && millis.is_multiple_of(u128::from(*unit));
    let (name, unit) = UNITS.into_iter().find(|(_, unit)| fits(unit)).unwrap_or(("ms", 1));
    format!("{}{name}", millis / u128::from(unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_read_as_it_is_written() {
        for text in ["250ms", "30s", "5m", "2h", "1d", "90s", "0ms", "366d"] {
            assert_eq!(render_duration(parse_duration(text).unwrap()), text);
        }
        for bad in ["", "5", "s", "-1s", "1.5s", "1w", "99999999999999999999s", "367d", "5 s"] {
            assert!(parse_duration(bad).is_err(), "{bad:?} was taken");
        }
    }
}
