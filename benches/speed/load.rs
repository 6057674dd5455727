//! The callers. In a closed loop each begins a call when its last one is answered; in an open loop calls
//! begin at a fixed rate, whether earlier ones are answered or not. Times go into an HDR histogram, in
//! nanoseconds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::sync::mpsc;
use tonic::{Code, Status, transport::Channel};

use crate::{
    common::app::Failure,
    data::Dice,
    echo,
    operations::{Caller, Operation},
    wire,
};

/// The call that is made.
#[derive(Clone)]
pub enum Work {
    /// An operation of the service.
    Call(Operation, Caller),
    /// The echo, with messages of these sizes.
    Echo(usize, usize, Caller),
}

impl Work {
    /// Makes one call. Returns the sizes of the request and its answer, in bytes.
    pub async fn once(&self, channel: &Channel, dice: &mut Dice) -> Result<(usize, usize), Status> {
        let (caller, path, message, by_json) = match self {
            Self::Call(operation, caller) => {
                let (path, message) = operation.request(caller, dice);
                (caller, path, message, operation.by_json())
            }
            Self::Echo(request, answer, caller) => {
                (caller, echo::PATH, echo::question(*request, *answer), false)
            }
        };
        let sent = message.len();
        let answer = if by_json {
            wire::call_by_json(channel, path, message, &caller.token).await?
        } else {
            wire::call(channel, path, message, &caller.token).await?
        };
        Ok((sent, answer.len()))
    }
}

/// The times of a phase, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    pub max: f64,
}

impl Times {
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: micros(histogram.max()) }
    }
}

/// From a nanosecond to a minute, to three digits.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("the bounds are in order")
}

#[expect(clippy::cast_precision_loss, reason = "three digits are kept")]
fn micros(nanos: u64) -> f64 {
    nanos as f64 / 1000.0
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The result of a phase.
pub struct Measured {
    pub calls: u64,
    pub seconds: f64,
    pub times: Histogram<u64>,
    /// Calls of an open loop that were refused because too many were under way, or had no answer at the
    /// end.
    pub left: u64,
}

impl Measured {
    #[expect(clippy::cast_precision_loss, reason = "counts of some seconds are small")]
    pub fn rate(&self) -> f64 {
        self.calls as f64 / self.seconds
    }
}

static SEED: AtomicU64 = AtomicU64::new(1);

/// Makes calls from so many callers for a time, each with one call under way.
pub async fn closed(
    channels: &[Channel],
    work: &Work,
    callers: usize,
    time: Duration,
) -> Result<Measured, Failure> {
    let start = Instant::now();
    let end = start + time;
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (channel, work) = (channels[caller % channels.len()].clone(), work.clone());
            tokio::spawn(async move {
                let mut dice = Dice::new(SEED.fetch_add(1, Ordering::Relaxed));
                let mut times = histogram();
                let mut before = Instant::now();
                while before < end {
                    work.once(&channel, &mut dice).await?;
                    let after = Instant::now();
                    times.saturating_record(nanos(after - before));
                    before = after;
                }
                Ok::<_, Status>(times)
            })
        })
        .collect();
    let mut times = histogram();
    for task in tasks {
        times.add(task.await??)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Measured { calls: times.len(), seconds, times, left: 0 })
}

/// Makes calls at a fixed rate. A call's time counts from the moment at which it was due: while the
/// service stalls, the calls that are due meanwhile get longer times.
pub async fn open(
    channels: &[Channel],
    work: &Work,
    rate: f64,
    time: Duration,
) -> Result<Measured, Failure> {
    let (answers, mut answered) = mpsc::unbounded_channel::<Result<u64, Status>>();
    let runtime = tokio::runtime::Handle::current();
    let (channels, work) = (channels.to_vec(), Arc::new(work.clone()));
    let start = Instant::now();
    // tokio's timers have a resolution of a millisecond; a thread's sleep has a finer one.
    let clock = std::thread::spawn(move || {
        let every = Duration::from_secs_f64(1.0 / rate);
        let mut due = start;
        let mut sent = 0_u64;
        while due < start + time {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            while due <= Instant::now() {
                let (channel, work) = (
                    channels[usize::try_from(sent).unwrap_or(0) % channels.len()].clone(),
                    work.clone(),
                );
                let answers = answers.clone();
                runtime.spawn(async move {
                    let mut dice = Dice::new(SEED.fetch_add(1, Ordering::Relaxed));
                    let done = work.once(&channel, &mut dice).await;
                    let _ = answers.send(done.map(|_| nanos(due.elapsed())));
                });
                due += every;
                sent += 1;
            }
        }
        sent
    });
    let mut times = histogram();
    let deadline = tokio::time::Instant::from_std(start + time + Duration::from_secs(5));
    while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, answered.recv()).await {
        match answer {
            Ok(time) => times.saturating_record(time),
            // The service refuses calls when too many are under way; an open loop does not wait.
            Err(status) if status.code() == Code::Unavailable => {}
            Err(status) => return Err(status.into()),
        }
    }
    let sent = clock.join().map_err(|_| "the clock's thread panicked")?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(Measured { calls: times.len(), seconds, left: sent - times.len(), times })
}
