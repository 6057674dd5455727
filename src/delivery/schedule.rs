//! What the result of a POST means for its event and for its rule, and when to send again. No I/O.

use std::{fmt, str::FromStr, time::Duration};

use time::OffsetDateTime;

use super::webhook::PostResult;
use crate::domain::{EventState, backoff, parse_duration, render_duration};

const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_hours(7 * 24);

/// The waits between the attempts to deliver an event, written as "5s,30s,5m". The first attempt comes at
/// once. If the attempt after the last wait fails, the event has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule(pub Vec<Duration>);

impl Default for Schedule {
    /// 5 s, 30 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: three days in all.
    fn default() -> Self {
        const HOUR: u64 = 3600;
        let waits =
            [5, 30, 300, 1800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
        Self(waits.map(Duration::from_secs).to_vec())
    }
}

impl Schedule {
    /// How long to wait after the `attempts`-th attempt failed, `None` after the last. `jitter`, from 0 to 1,
    /// changes the wait by up to a tenth to either side, so that events that failed together are not
    /// sent again together.
    #[must_use]
    pub fn wait(&self, attempts: i32, jitter: f64) -> Option<Duration> {
        let index = usize::try_from(attempts).ok()?.checked_sub(1)?;
        Some(self.0.get(index)?.mul_f64(0.9 + 0.2 * jitter.clamp(0.0, 1.0)))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits: Vec<String> = self.0.iter().map(|wait| render_duration(*wait)).collect();
        f.write_str(&waits.join(","))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let waits = text.split(',').map(|wait| {
            let wait = wait.trim();
            match parse_duration(wait).map_err(|why| format!("{wait:?} {why}"))? {
                good if (SHORTEST_WAIT..=LONGEST_WAIT).contains(&good) => Ok(good),
                _ => Err(format!("{wait:?} must be between 1s and 7d")),
            }
        });
        let waits = waits.collect::<Result<Vec<_>, _>>()?;
        if waits.len() > 50 {
            return Err("must be at most 50 waits".to_owned());
        }
        Ok(Self(waits))
    }
}

/// What a POST's result means for the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RuleEffect {
    /// The receiver works.
    Works,
    /// The result tells nothing about the rule.
    Unchanged,
    /// The receiver can't keep up: the rule is paused.
    SlowDown {
        /// For how long, if the receiver told (`Retry-After`).
        asked: Option<Duration>,
    },
    /// The receiver wants no more events: the rule is switched off.
    SwitchOff,
}

/// The longest wait that a receiver can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// The state of an event after its `attempts`-th attempt, which ended at `at`, and what the attempt means
/// for the rule. `jitter` is that of [`Schedule::wait`].
pub(super) fn judge(
    result: &PostResult,
    attempts: i32,
    schedule: &Schedule,
    jitter: f64,
    at: OffsetDateTime,
) -> (EventState, RuleEffect) {
    if result.is_success() {
        return (EventState::Delivered { at }, RuleEffect::Works);
    }
    let asked = result.retry_after.map(|wait| wait.min(MAX_RETRY_AFTER));
    let (effect, min_wait) = match result.status {
        Some(410) => (RuleEffect::SwitchOff, Duration::ZERO),
        Some(429 | 502 | 503 | 504) => (RuleEffect::SlowDown { asked }, asked.unwrap_or_default()),
        _ => (RuleEffect::Unchanged, Duration::ZERO),
    };
    let state = match schedule.wait(attempts, jitter) {
        Some(wait) => EventState::Pending { next_attempt_at: at + wait.max(min_wait) },
        None => EventState::Failed { at },
    };
    (state, effect)
}

/// How long a rule is paused after its receiver could not keep up `times` times in a row: as long as the
/// receiver asked for, or else 1 s, 2 s, 4 s … 64 s.
pub(super) fn pause(asked: Option<Duration>, times: u32) -> Duration {
    asked.unwrap_or_else(|| backoff(Duration::from_secs(1), times, Duration::from_secs(64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: OffsetDateTime = time::macros::datetime!(2026-11-21 12:00 UTC);

    fn result(status: Option<u16>, retry_after: Option<u64>) -> PostResult {
        PostResult {
            status,
            retry_after: retry_after.map(Duration::from_secs),
            body: vec![],
            error: None,
            took: Duration::ZERO,
        }
    }

    #[test]
    fn the_default_schedule_has_eleven_tries_over_three_days_and_then_gives_up() {
        let schedule = Schedule::default();
        let waits: Vec<Duration> = (1..).map_while(|made| schedule.wait(made, 0.5)).collect();
        assert_eq!(waits.len(), 10);
        assert_eq!(waits[0], Duration::from_secs(5));
        assert_eq!(waits[9], Duration::from_secs(24 * 3600));
        assert_eq!(schedule.wait(11, 0.5), None);
        assert_eq!(schedule.wait(0, 0.5), None);
    }

    #[test]
    fn jitter_stays_within_a_tenth_to_either_side() {
        let schedule = Schedule::default();
        for step in 0..=100 {
            let wait = schedule.wait(1, f64::from(step) / 100.0).unwrap();
            assert!((4.5..=5.5).contains(&wait.as_secs_f64()), "{wait:?}");
        }
    }

    #[test]
    fn every_result_gives_its_event_a_state_and_has_its_effect_on_the_rule() {
        let schedule = Schedule::default();
        let judged =
            |status, retry_after| judge(&result(status, retry_after), 1, &schedule, 0.5, AT);
        let retry = |secs| EventState::Pending { next_attempt_at: AT + Duration::from_secs(secs) };
        let slow =
            |secs: Option<u64>| RuleEffect::SlowDown { asked: secs.map(Duration::from_secs) };
        assert_eq!(judged(Some(200), None), (EventState::Delivered { at: AT }, RuleEffect::Works));
        assert_eq!(judged(Some(204), None), (EventState::Delivered { at: AT }, RuleEffect::Works));
        for status in [199, 301, 302, 400, 404, 500] {
            assert_eq!(judged(Some(status), None), (retry(5), RuleEffect::Unchanged));
        }
        assert_eq!(judged(None, None), (retry(5), RuleEffect::Unchanged));
        assert_eq!(judged(Some(410), None), (retry(5), RuleEffect::SwitchOff));
        for status in [429, 502, 503, 504] {
            assert_eq!(judged(Some(status), None), (retry(5), slow(None)));
            assert_eq!(judged(Some(status), Some(60)), (retry(60), slow(Some(60))));
            assert_eq!(judged(Some(status), Some(2)), (retry(5), slow(Some(2))));
        }
        let day = 24 * 3600;
        assert_eq!(judged(Some(503), Some(10 * day)), (retry(day), slow(Some(day))));
        assert_eq!(
            judge(&result(Some(500), None), 11, &schedule, 0.5, AT),
            (EventState::Failed { at: AT }, RuleEffect::Unchanged)
        );
    }

    #[test]
    fn a_schedule_is_read_as_it_is_written() {
        let schedule: Schedule = "5s, 30s,5m,2h,7d".parse().unwrap();
        assert_eq!(
            schedule.0.iter().map(Duration::as_secs).collect::<Vec<_>>(),
            [5, 30, 300, 7200, 604_800]
        );
        assert_eq!(schedule.to_string(), "5s,30s,5m,2h,7d");
        for bad in
            ["", "5", "s", "0s", "-5s", "8d", "999ms", "5s,,6s", "200h", "99999999999999999999s"]
        {
            assert!(bad.parse::<Schedule>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_pause_doubles_up_to_about_a_minute_unless_one_was_asked_for() {
        let secs = |times| pause(None, times).as_secs();
        assert_eq!([secs(1), secs(2), secs(3), secs(7), secs(100)], [1, 2, 4, 64, 64]);
        assert_eq!(pause(Some(Duration::from_secs(9)), 3).as_secs(), 9);
    }
}
