//! Calls of one kind that are under way at once share statements and transactions.
//!
//! A call that comes while nobody else's is under way begins at once and alone. Those that come
//! meanwhile make the next turn together: beside that one, or when all turns are taken at the end of
//! one. Nobody waits for company, and the more there are, the less each costs. Each still succeeds or
//! fails by itself. What goes wrong for a group as a whole, before its commit was sent, goes wrong for
//! nobody yet: its members are tried again, each alone. A caller who goes away stops nobody else.

use std::{
    collections::VecDeque,
    fmt,
    panic::AssertUnwindSafe,
    slice,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt as _;
use tokio::{
    runtime::Handle,
    sync::oneshot,
    task::yield_now,
    time::{Instant, timeout_at},
};

use crate::{
    domain::{Error, Outage},
    store::Db,
};

/// A call that can share its work with others of its kind.
pub trait Shared: Send + Sync + Sized + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;

    /// Whether a turn takes little longer than to hand it to another task, as a read does: then a
    /// caller who finds no turn under way begins one in their own task. Else, and always for a change,
    /// a task of the turn's own begins it, with whoever has come in the same moment.
    const SHORT: bool;

    /// The database that it is about.
    fn db(&self) -> &Db;

    /// Until when the caller waits.
    fn deadline(&self) -> Instant;

    /// Does the work of all members, one or more, and returns what became of each, in their order. An
    /// error is everybody's: nothing has happened, but for [`Outage::DuringCommit`].
    fn together(
        members: &[Self],
        turn: Turn,
    ) -> impl Future<Output = Result<Vec<Outcome<Self::Answer>>, Error>> + Send;
}

/// Under which conditions members are worked for.
#[derive(Clone, Copy, Debug)]
pub struct Turn {
    /// Until when.
    pub(super) deadline: Instant,
    /// Others wait for the end of the turn: nothing may wait for long, and what would have to fails.
    pub(super) brief: bool,
}

/// What became of a member.
pub enum Outcome<T> {
    /// It is done, or refused.
    Done(Result<T, Error>),
    /// It can't be done in company, or not in a brief turn, and was left out. Never of a single member
    /// whose turn is not brief.
    Alone,
}

/// Calls of one kind, and the turns in which they are worked off.
pub struct Coalescer<M: Shared> {
    /// How many turns may be under way at once.
    turns: usize,
    /// How many members a turn may have.
    most: usize,
    state: Mutex<State<M>>,
}

struct State<M: Shared> {
    waiting: VecDeque<Waiting<M>>,
    under_way: usize,
}

struct Waiting<M: Shared> {
    member: M,
    answer: oneshot::Sender<Result<M::Answer, Error>>,
}

/// How a call takes part.
enum Entered<M: Shared> {
    /// It is alone, and begins a turn.
    First(M),
    /// It waits for the next turn, and for its answer.
    Waiting(oneshot::Receiver<Result<M::Answer, Error>>),
}

impl<M: Shared> fmt::Debug for Coalescer<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalescer").finish_non_exhaustive()
    }
}

impl<M: Shared> Coalescer<M> {
    /// Works off up to `turns` groups at once, of up to `most` members each.
    pub(super) fn new(turns: usize, most: usize) -> Arc<Self> {
        let state = State { waiting: VecDeque::new(), under_way: 0 };
        Arc::new(Self { turns, most, state: Mutex::new(state) })
    }

    /// Does the work of a member, together with that of others who are there.
    pub(super) async fn join(self: &Arc<Self>, member: M) -> Result<M::Answer, Error> {
        match self.enter(member) {
            // Aside: it is large, and not needed by those who wait.
            Entered::First(member) => Box::pin(self.begin(member)).await,
            Entered::Waiting(answered) => {
                let lost = |_| Err(Error::Internal("a turn ended without an answer".to_owned()));
                answered.await.unwrap_or_else(lost)
            }
        }
    }

    fn enter(self: &Arc<Self>, member: M) -> Entered<M> {
        let mut state = self.state();
        // Then nobody waits, or a task is about to take them.
        let begins = state.under_way < self.turns;
        let nobody_else = state.under_way == 0;
        state.under_way += usize::from(begins);
        if nobody_else && M::SHORT {
            return Entered::First(member);
        }
        let (answer, answered) = oneshot::channel();
        state.waiting.push_back(Waiting { member, answer });
        if begins {
            tokio::spawn(Arc::clone(self).take_turns());
        }
        Entered::Waiting(answered)
    }

    /// A turn of one, in the caller's own task.
    async fn begin(self: &Arc<Self>, member: M) -> Result<M::Answer, Error> {
        let begun = Begun(self);
        let outcome = try_together(slice::from_ref(&member), member.deadline()).await.pop();
        drop(begun);
        match outcome {
            Some(Outcome::Done(result)) => result,
            Some(Outcome::Alone) | None => alone(&member).await,
        }
    }

    /// Ends a turn: those who wait make the next one.
    fn pass_on(self: &Arc<Self>) {
        let mut state = self.state();
        // Without a runtime, at the very end of it, those who wait have gone too.
        match Handle::try_current() {
            Ok(runtime) if !state.waiting.is_empty() => {
                runtime.spawn(Arc::clone(self).take_turns());
            }
            _ => state.under_way -= 1,
        }
    }

    async fn take_turns(self: Arc<Self>) {
        loop {
            // Who is ready in this worker joins first. Without anything else to do it goes on at once, and
            // after some tens of other tasks in any case.
            yield_now().await;
            let Some(group) = self.next_group() else { return };
            let panicked = AssertUnwindSafe(work_off(group)).catch_unwind().await.is_err();
            if panicked {
                tracing::error!("a turn panicked; the next ones go on");
            }
        }
    }

    /// Those who wait, as many as make a turn, without those who have gone away. None ends the turns.
    fn next_group(&self) -> Option<Vec<Waiting<M>>> {
        let mut state = self.state();
        let mut group = Vec::new();
        while group.len() < self.most {
            match state.waiting.pop_front() {
                Some(gone) if gone.answer.is_closed() => {}
                Some(waiting) => group.push(waiting),
                None => break,
            }
        }
        if group.is_empty() {
            state.under_way -= 1;
            return None;
        }
        Some(group)
    }

    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn of a caller who began it, and may go away or panic in the middle.
struct Begun<'a, M: Shared>(&'a Arc<Coalescer<M>>);

impl<M: Shared> Drop for Begun<'_, M> {
    fn drop(&mut self) {
        self.0.pass_on();
    }
}

async fn work_off<M: Shared>(group: Vec<Waiting<M>>) {
    let (members, mut answers): (Vec<M>, Vec<_>) =
        group.into_iter().map(|waiting| (waiting.member, waiting.answer)).unzip();
    let deadline = members.iter().map(M::deadline).max().unwrap_or_else(Instant::now);
    let outcomes = tokio::select! {
        outcomes = try_together(&members, deadline) => outcomes,
        () = all_gone(&mut answers) => return,
    };
    for ((member, mut answer), outcome) in members.into_iter().zip(answers).zip(outcomes) {
        match outcome {
            Outcome::Done(result) => drop(answer.send(result)),
            // Beside the turns: who waits for a lock must not hold up those who come next.
            Outcome::Alone => drop(tokio::spawn(async move {
                tokio::select! {
                    result = alone(&member) => drop(answer.send(result)),
                    () = answer.closed() => {}
                }
            })),
        }
    }
}

/// What becomes of each member in a turn. Where nothing has happened to a group, each is left for a try
/// alone.
async fn try_together<M: Shared>(members: &[M], deadline: Instant) -> Vec<Outcome<M::Answer>> {
    let each = |outcome: fn() -> Outcome<M::Answer>| members.iter().map(|_| outcome()).collect();
    match timeout_at(deadline, M::together(members, Turn { deadline, brief: true })).await {
        Ok(Ok(outcomes)) => outcomes,
        Ok(Err(Error::Unavailable(Outage::DuringCommit))) => {
            each(|| Outcome::Done(Err(Error::Unavailable(Outage::DuringCommit))))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, members = members.len(), "a group is tried again, each alone");
            each(|| Outcome::Alone)
        }
        Err(_) => each(|| Outcome::Done(Err(Error::DeadlineExceeded))),
    }
}

/// Works for one member until its deadline.
async fn alone<M: Shared>(member: &M) -> Result<M::Answer, Error> {
    let turn = Turn { deadline: member.deadline(), brief: false };
    let work = member.db().retrying(|| M::together(slice::from_ref(member), turn));
    match timeout_at(turn.deadline, work).await {
        Ok(Ok(mut outcomes)) => match outcomes.pop() {
            Some(Outcome::Done(result)) => result,
            Some(Outcome::Alone) | None => {
                Err(Error::Internal("a single member was left out".to_owned()))
            }
        },
        Ok(Err(error)) => Err(error),
        Err(_) => Err(Error::DeadlineExceeded),
    }
}

/// Comes back when nobody waits for an answer any more.
async fn all_gone<T>(answers: &mut [oneshot::Sender<T>]) {
    for answer in answers {
        answer.closed().await;
    }
}

#[cfg(test)]
mod tests;
