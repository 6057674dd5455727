//! Collects items that arrive while others run, and runs them as one batch.
//!
//! An item that arrives while no batch runs starts at once, alone. Items that arrive later form the
//! next batch, which runs beside the others while fewer than `max_batches` run, else after one of
//! them. No item waits for more items to arrive, and the more items a batch has, the less each costs.
//! When more items wait than one batch takes, each app gets an equal part of it.
//!
//! Each item succeeds or fails by itself. When a batch fails as a whole before its commit was sent,
//! nothing has happened, and each of its items runs again, alone. A caller who goes away does not stop
//! the other items.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    panic::AssertUnwindSafe,
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt as _;
use metrics::{Counter, Histogram};
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::yield_now,
    time::{Instant, timeout_at},
};
use uuid::Uuid;

use crate::{
    domain::{Error, Outage},
    measure::Stopwatch,
    store::Db,
    trace::Trace,
};

/// An item that can run in a batch with others of its kind.
pub trait BatchItem: Send + Sync + Sized + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;

    /// Whether a batch starts in the caller's own task when no other batch runs. True for reads, which
    /// take hardly longer than waking another task would. False for changes, whose batches always start
    /// in a task of their own, with the items that have arrived by then.
    const INLINE: bool;

    /// The database in which the item runs.
    fn db(&self) -> &Db;

    /// Until when the caller waits.
    fn deadline(&self) -> Instant;

    /// The app that calls.
    fn app_id(&self) -> Uuid;

    /// Runs one item or more, and returns the outcome of each in their order. An error concerns all of
    /// them: nothing has happened, except for [`Outage::DuringCommit`].
    fn run(
        items: &[Self],
        batch: Batch,
    ) -> impl Future<Output = Result<Vec<Outcome<Self::Answer>>, Error>> + Send;
}

/// How items run.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    /// Until when the batch may run.
    pub(super) deadline: Instant,
    /// True when other items may be waiting for the end of this batch: the batch must not wait long for a
    /// lock, and an item that would take long is left out.
    pub(super) brief: bool,
}

/// The outcome of an item in a batch.
pub enum Outcome<T> {
    /// The item has run.
    Done(Result<T, Error>),
    /// The item was left out and has to run again, alone. Never the outcome of a single item in a batch
    /// that is not brief.
    RunAlone,
}

/// The waiting items of one kind, and how many batches of them run.
pub struct Batcher<I: BatchItem> {
    max_batches: usize,
    max_items: usize,
    state: Mutex<State<I>>,
    measured: Measured,
}

/// What is measured of batches of one kind.
struct Measured {
    kind: &'static str,
    members: Histogram,
    waits: Histogram,
    times: Histogram,
    alone: Counter,
}

impl Measured {
    fn of(kind: &'static str) -> Self {
        Self {
            kind,
            members: metrics::histogram!("befriend_batch_members", "kind" => kind),
            waits: metrics::histogram!("befriend_batch_wait_seconds", "kind" => kind),
            times: metrics::histogram!("befriend_batch_seconds", "kind" => kind),
            alone: metrics::counter!("befriend_batch_members_alone_total", "kind" => kind),
        }
    }
}

struct State<I: BatchItem> {
    waiting: VecDeque<Waiting<I>>,
    /// How many batches run, or are about to.
    running: usize,
}

struct Waiting<I: BatchItem> {
    item: I,
    since: Stopwatch,
    trace: Trace,
    answer: oneshot::Sender<Result<I::Answer, Error>>,
}

/// What becomes of a submitted item.
enum Submitted<I: BatchItem> {
    /// No batch runs: the item starts one in the caller's own task.
    First(I),
    /// The item is in the queue, and its answer will come.
    Queued(oneshot::Receiver<Result<I::Answer, Error>>),
}

impl<I: BatchItem> fmt::Debug for Batcher<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batcher").finish_non_exhaustive()
    }
}

impl<I: BatchItem> Batcher<I> {
    /// Runs up to `max_batches` at once, of up to `max_items` each. `kind` is their name in the metrics.
    pub(super) fn new(kind: &'static str, max_batches: usize, max_items: usize) -> Arc<Self> {
        let state = Mutex::new(State { waiting: VecDeque::new(), running: 0 });
        Arc::new(Self { max_batches, max_items, state, measured: Measured::of(kind) })
    }

    /// Runs an item in a batch, and returns its answer.
    ///
    /// # Errors
    /// Those of the item, and those of the batch when the item ran alone.
    pub(in crate::ops) async fn submit(self: &Arc<Self>, item: I) -> Result<I::Answer, Error> {
        match self.enqueue(item) {
            // Boxed, so that the future of a caller who only waits stays small.
            Submitted::First(item) => Box::pin(self.run_inline(item)).await,
            Submitted::Queued(answer) => {
                let lost = |_| Err(Error::Internal("a batch ended without an answer".to_owned()));
                answer.await.unwrap_or_else(lost)
            }
        }
    }

    fn enqueue(self: &Arc<Self>, item: I) -> Submitted<I> {
        let mut state = self.state();
        let first = state.running == 0;
        // While fewer than `max_batches` run, the queue is empty or a task is about to take it.
        let starts_batch = state.running < self.max_batches;
        state.running += usize::from(starts_batch);
        if first && I::INLINE {
            return Submitted::First(item);
        }
        let (answer, answered) = oneshot::channel();
        let (since, trace) = (Stopwatch::start(), Trace::current());
        state.waiting.push_back(Waiting { item, since, trace, answer });
        if starts_batch {
            tokio::spawn(Arc::clone(self).run_batches());
        }
        Submitted::Queued(answered)
    }

    /// Runs a batch of one in the caller's own task.
    async fn run_inline(self: &Arc<Self>, item: I) -> Result<I::Answer, Error> {
        let running = InlineBatch(self);
        self.measured.waits.record(0.0);
        let span = Trace::batch(self.measured.kind, [&Trace::current()].into_iter());
        let batch = run_batch(&self.measured, slice::from_ref(&item), item.deadline(), span);
        let outcome = batch.await.pop();
        drop(running);
        match outcome {
            Some(Outcome::Done(result)) => result,
            Some(Outcome::RunAlone) | None => run_alone(&item).await,
        }
    }

    /// Ends a batch that ran in a caller's task. The items that wait by now become the next batch.
    fn end_inline(self: &Arc<Self>) {
        let mut state = self.state();
        // At the very end of the process there is no runtime, and no caller waits.
        match Handle::try_current() {
            Ok(runtime) if !state.waiting.is_empty() => {
                runtime.spawn(Arc::clone(self).run_batches());
            }
            _ => state.running -= 1,
        }
    }

    async fn run_batches(self: Arc<Self>) {
        loop {
            // Lets the tasks that are ready on this worker submit their items first. With no such task
            // the worker comes back at once.
            yield_now().await;
            let Some(batch) = self.next_batch() else { return };
            let panicked = AssertUnwindSafe(run_and_answer(&self.measured, batch))
                .catch_unwind()
                .await
                .is_err();
            if panicked {
                tracing::error!("a batch panicked; the next ones go on");
            }
        }
    }

    /// The items that wait, up to a batch of them, without those whose callers have gone. `None` ends
    /// the task of the batch.
    fn next_batch(&self) -> Option<Vec<Waiting<I>>> {
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.answer.is_closed());
        let batch = if state.waiting.len() <= self.max_items {
            Vec::from(std::mem::take(&mut state.waiting))
        } else {
            equal_parts(&mut state.waiting, self.max_items)
        };
        if batch.is_empty() {
            state.running -= 1;
            return None;
        }
        Some(batch)
    }

    fn state(&self) -> MutexGuard<'_, State<I>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch in a caller's own task. The caller may go away or panic at any point, so the end of the batch
/// is noted on drop.
struct InlineBatch<'a, I: BatchItem>(&'a Arc<Batcher<I>>);

impl<I: BatchItem> Drop for InlineBatch<'_, I> {
    fn drop(&mut self) {
        self.0.end_inline();
    }
}

/// Takes `max_items` of the waiting items, which are more: the first item of each app, then the second of
/// each, and so on. So no app's items wait for all those that another app sent before.
fn equal_parts<I: BatchItem>(
    waiting: &mut VecDeque<Waiting<I>>,
    max_items: usize,
) -> Vec<Waiting<I>> {
    let mut of_app: HashMap<Uuid, usize> = HashMap::new();
    let turns = waiting.iter().map(|waiting| {
        let count = of_app.entry(waiting.item.app_id()).or_default();
        *count += 1;
        *count
    });
    let mut order: Vec<(usize, usize)> = turns.zip(0..).collect();
    order.select_nth_unstable(max_items);
    let mut taken = vec![false; waiting.len()];
    for (_, at) in &order[..max_items] {
        taken[*at] = true;
    }
    let all = std::mem::take(waiting).into_iter().zip(taken);
    let (batch, rest): (Vec<_>, Vec<_>) = all.partition(|(_, taken)| *taken);
    waiting.extend(rest.into_iter().map(|(waiting, _)| waiting));
    batch.into_iter().map(|(waiting, _)| waiting).collect()
}

async fn run_and_answer<I: BatchItem>(measured: &Measured, batch: Vec<Waiting<I>>) {
    for waiting in &batch {
        waiting.since.record(&measured.waits);
    }
    let span = Trace::batch(measured.kind, batch.iter().map(|waiting| &waiting.trace));
    let (items, mut answers): (Vec<I>, Vec<_>) =
        batch.into_iter().map(|waiting| (waiting.item, (waiting.answer, waiting.trace))).unzip();
    let deadline = items.iter().map(I::deadline).max().unwrap_or_else(Instant::now);
    let outcomes = tokio::select! {
        outcomes = run_batch(measured, &items, deadline, span) => outcomes,
        () = all_closed(&mut answers) => return,
    };
    for ((item, (mut answer, trace)), outcome) in items.into_iter().zip(answers).zip(outcomes) {
        match outcome {
            Outcome::Done(result) => drop(answer.send(result)),
            // In a task of its own, so that a wait for a lock does not delay the next batch.
            Outcome::RunAlone => drop(tokio::spawn(async move {
                tokio::select! {
                    result = trace.cover(run_alone(&item)) => drop(answer.send(result)),
                    () = answer.closed() => {}
                }
            })),
        }
    }
}

/// Runs a batch until its deadline. Where it failed as a whole, each item is left to run alone. Ends
/// the `span` of the batch.
async fn run_batch<I: BatchItem>(
    measured: &Measured,
    items: &[I],
    deadline: Instant,
    span: Trace,
) -> Vec<Outcome<I::Answer>> {
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    measured.members.record(items.len() as f64);
    let stopwatch = Stopwatch::start();
    let each = |outcome: fn() -> Outcome<I::Answer>| items.iter().map(|_| outcome()).collect();
    let batch = Batch { deadline, brief: true };
    let outcomes = timeout_at(deadline, span.cover(guarded(items, batch))).await;
    stopwatch.record(&measured.times);
    let failed = !matches!(outcomes, Ok(Ok(_)));
    span.end(failed.then_some("the batch failed as a whole"), Vec::new);
    match outcomes {
        Ok(Ok(outcomes)) => outcomes,
        Ok(Err(Error::Unavailable(Outage::DuringCommit))) => {
            each(|| Outcome::Done(Err(Error::Unavailable(Outage::DuringCommit))))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, items = items.len(), "the items of a batch run again, each alone");
            measured.alone.increment(items.len() as u64);
            each(|| Outcome::RunAlone)
        }
        Err(_) => each(|| Outcome::Done(Err(Error::DeadlineExceeded))),
    }
}

/// Runs a batch, and ends it when the database is found to be away. Reads are guarded one by one.
async fn guarded<I: BatchItem>(
    items: &[I],
    batch: Batch,
) -> Result<Vec<Outcome<I::Answer>>, Error> {
    match items.first() {
        Some(first) if !I::INLINE => first.db().guard(I::run(items, batch)).await,
        _ => I::run(items, batch).await,
    }
}

/// Runs one item until its deadline.
async fn run_alone<I: BatchItem>(item: &I) -> Result<I::Answer, Error> {
    let batch = Batch { deadline: item.deadline(), brief: false };
    let work = item.db().retrying(|| I::run(slice::from_ref(item), batch));
    match timeout_at(batch.deadline, work).await {
        Ok(Ok(mut outcomes)) => match outcomes.pop() {
            Some(Outcome::Done(result)) => result,
            Some(Outcome::RunAlone) | None => {
                Err(Error::Internal("a single item was left out of its batch".to_owned()))
            }
        },
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::DeadlineExceeded),
    }
}

/// Completes when no caller waits for an answer any more.
async fn all_closed<T>(answers: &mut [(oneshot::Sender<T>, Trace)]) {
    for (answer, _) in answers {
        answer.closed().await;
    }
}

#[cfg(test)]
mod tests;
