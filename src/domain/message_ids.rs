//! Message ids of events.

use std::sync::atomic::{AtomicU64, Ordering};

use time::{OffsetDateTime, macros::datetime};

/// Generates message ids: numbers of 18-19 decimal digits, because Easemob's receivers expect one for
/// each event. A number is made of the milliseconds since 2010, 8 random bits of this process, and 14
/// bits of a counter.
#[derive(Debug)]
pub struct MessageIds {
    process: u64,
    counter: AtomicU64,
}

impl Default for MessageIds {
    fn default() -> Self {
        Self {
            process: u64::from(getrandom::u32().unwrap_or_default()) & 0xff,
            counter: AtomicU64::new(0),
        }
    }
}

impl MessageIds {
    /// The next id.
    #[must_use]
    pub fn next(&self, now: OffsetDateTime) -> i64 {
        const START: OffsetDateTime = datetime!(2010-01-01 0:00 UTC);
        let millis = u64::try_from((now - START).whole_milliseconds()).unwrap_or(0);
        let count = self.counter.fetch_add(1, Ordering::Relaxed) & 0x3fff;
        let id = (millis << 22) | (self.process << 14) | count;
        i64::try_from(id & (u64::MAX >> 1)).expect("the sign bit is cleared")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_ids_have_18_or_19_digits_and_do_not_repeat() {
        let ids = MessageIds::default();
        let now = datetime!(2026-11-21 12:00 UTC);
        let mut made: Vec<i64> = (0..10_000).map(|_| ids.next(now)).collect();
        assert!(made.iter().all(|id| (18..=19).contains(&id.to_string().len())));
        made.sort_unstable();
        made.dedup();
        assert_eq!(made.len(), 10_000);
    }
}
