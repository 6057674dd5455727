//! Times as milliseconds since 1970, as both vendors' APIs, callbacks and the log of attempts hold them.

use time::OffsetDateTime;

/// The milliseconds from 1970 to `time`, rounded down.
#[must_use]
pub fn unix_millis(time: OffsetDateTime) -> i64 {
    let millis = time.unix_timestamp_nanos().div_euclid(1_000_000);
    i64::try_from(millis).expect("the years -9999 to 9999 are within 2^48 milliseconds of 1970")
}

/// The time `millis` after 1970; `None` beyond the year 9999.
#[must_use]
pub fn from_unix_millis(millis: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn milliseconds_lead_back_to_their_time() {
        let time = datetime!(2026-11-21 12:00:00.123456 UTC);
        assert_eq!(unix_millis(time), 1_795_262_400_123);
        assert_eq!(
            from_unix_millis(1_795_262_400_123),
            Some(datetime!(2026-11-21 12:00:00.123 UTC))
        );
        assert_eq!(unix_millis(datetime!(1969-12-31 23:59:59.9999 UTC)), -1);
        assert_eq!(from_unix_millis(i64::MAX), None);
        assert_eq!(from_unix_millis(i64::MIN), None);
    }
}
