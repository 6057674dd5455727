//! `Retry-After`, as receivers of callbacks and the vendors' APIs send it (RFC 9110, 10.2.3).

use std::time::Duration;

use http::{HeaderMap, header};
use httpdate::parse_http_date;
use time::OffsetDateTime;

/// How long the sender of these headers asks to be left alone: "120" are seconds, a number that is too large
/// means the longest time, and a date is compared with the headers' own `Date`, because the sender's clock
/// may differ from ours; without a `Date`, with `now`. `None` without the header, when it can't be read, and
/// when its date has passed.
pub(crate) fn read(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.trim());
    let asked = text(header::RETRY_AFTER)?;
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(asked.parse().map_or(Duration::MAX, Duration::from_secs));
    }
    let then = parse_http_date(asked).ok()?;
    let now = text(header::DATE).and_then(|date| parse_http_date(date).ok()).unwrap_or(now.into());
    then.duration_since(now).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn asked(retry: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(header::RETRY_AFTER, retry.parse().unwrap());
        if let Some(date) = date {
            headers.insert(header::DATE, date.parse().unwrap());
        }
        read(&headers, datetime!(2026-11-21 12:01 UTC)).map(|wait| wait.as_secs())
    }

    #[test]
    fn it_is_seconds_or_a_date_beside_the_answers_own() {
        let now = Some("Sat, 21 Nov 2026 12:00:00 GMT");
        let then = "Sat, 21 Nov 2026 12:01:30 GMT";
        assert_eq!(asked("120", now), Some(120));
        assert_eq!(asked(then, now), Some(90));
        for other in [None, Some("no date")] {
            assert_eq!(asked(then, other), Some(30), "by our own clock");
        }
        for nonsense in ["Sat, 21 Nov 2026 11:00:00 GMT", "-1", "+1", "1.5", "soon", ""] {
            assert_eq!(asked(nonsense, now), None, "{nonsense:?}");
        }
    }

    #[test]
    fn a_number_of_any_size_is_a_time() {
        for huge in ["18446744073709551615", "18446744073709551616", &"9".repeat(100)] {
            assert!(asked(huge, None).unwrap() >= u64::MAX - 1, "{huge}");
        }
    }
}
