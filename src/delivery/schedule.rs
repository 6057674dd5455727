//! When to try again, and what a receiver's answer means for its rule. Pure.

use std::{fmt, str::FromStr, time::Duration};

use super::Answer;
use crate::domain::{backoff, parse_duration, render_duration};

const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_hours(7 * 24);

/// The waits between tries: as "5s,30s,5m". The first try is at once; after the last wait one more,
/// and then the event has failed.
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
    /// How long to wait after the `made`-th try failed; nothing after the last. `jitter`, from 0 to
    /// 1, spreads it by a tenth to either side, so that events that failed together do not come back
    /// together.
    #[must_use]
    pub fn wait(&self, made: i32, jitter: f64) -> Option<Duration> {
        let index = usize::try_from(made).ok()?.checked_sub(1)?;
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

/// What becomes of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// It is tried again.
    Retry {
        /// After this time.
        after: Duration,
    },
    /// It was tried for the last time.
    Failed,
}

/// What becomes of the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleEffect {
    /// It works.
    Works,
    /// Nothing can be said about it.
    Unchanged,
    /// Its receiver can't keep up: nothing is sent for a time, the one it asked for if it did.
    SlowDown {
        /// What it asked for.
        asked: Option<Duration>,
    },
    /// Its receiver wants no more.
    SwitchOff,
}

/// The longest wait that a receiver can ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// What an answer to the `made`-th try means.
#[must_use]
pub fn judge(
    answer: &Answer,
    made: i32,
    schedule: &Schedule,
    jitter: f64,
) -> (Verdict, RuleEffect) {
    if answer.is_success() {
        return (Verdict::Delivered, RuleEffect::Works);
    }
    let asked = answer.retry_after.map(|wait| wait.min(LONGEST_RETRY_AFTER));
    let (effect, at_least) = match answer.status {
        Some(410) => (RuleEffect::SwitchOff, Duration::ZERO),
        Some(429 | 502 | 503 | 504) => (RuleEffect::SlowDown { asked }, asked.unwrap_or_default()),
        _ => (RuleEffect::Unchanged, Duration::ZERO),
    };
    let verdict = match schedule.wait(made, jitter) {
        Some(wait) => Verdict::Retry { after: wait.max(at_least) },
        None => Verdict::Failed,
    };
    (verdict, effect)
}

/// How long a rule is left alone after its receiver said `times` times in a row that it can't keep
/// up: as long as it asked for, or 1 s, 2 s, 4 s … 64 s.
#[must_use]
pub(super) fn pause(asked: Option<Duration>, times: u32) -> Duration {
    asked.unwrap_or_else(|| backoff(Duration::from_secs(1), times, Duration::from_secs(64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: Option<u16>, retry_after: Option<u64>) -> Answer {
        Answer {
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
    fn every_answer_has_its_verdict_and_effect() {
        let schedule = Schedule::default();
        let judged = |status, retry_after| judge(&answer(status, retry_after), 1, &schedule, 0.5);
        let retry = |secs| Verdict::Retry { after: Duration::from_secs(secs) };
        let slow =
            |secs: Option<u64>| RuleEffect::SlowDown { asked: secs.map(Duration::from_secs) };
        assert_eq!(judged(Some(200), None), (Verdict::Delivered, RuleEffect::Works));
        assert_eq!(judged(Some(204), None), (Verdict::Delivered, RuleEffect::Works));
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
            judge(&answer(Some(500), None), 11, &schedule, 0.5),
            (Verdict::Failed, RuleEffect::Unchanged)
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
