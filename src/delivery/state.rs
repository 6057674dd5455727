//! What the dispatcher of this process does now, for those who look at it from outside: the metrics and the
//! status page.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

/// What a dispatcher does. It counts from the start of the process.
#[derive(Debug, Default)]
pub struct DeliveryState(Mutex<Delivery>);

/// What a dispatcher does at one moment.
#[derive(Clone, Debug, Default)]
pub struct Delivery {
    /// Under which id it holds leases; `None` when this process delivers nothing.
    pub dispatcher_id: Option<Uuid>,
    /// How many partitions of the outbox it holds.
    pub partitions: usize,
    /// How many streams run.
    pub streams: usize,
    /// The callback rules whose last attempts failed.
    pub failing: HashMap<Uuid, FailingRule>,
}

/// A callback rule whose last attempts failed, those of this process.
#[derive(Clone, Debug)]
pub struct FailingRule {
    /// The key of its app.
    pub app: String,
    /// How many attempts in a row failed, whichever events they were for.
    pub in_a_row: u32,
}

impl DeliveryState {
    /// What it does now.
    #[must_use]
    pub fn now(&self) -> Delivery {
        self.state().clone()
    }

    /// It holds so many partitions.
    pub(super) fn holds(&self, dispatcher_id: Uuid, partitions: usize) {
        let mut state = self.state();
        state.dispatcher_id = Some(dispatcher_id);
        state.partitions = partitions;
    }

    /// So many streams run.
    pub(super) fn runs(&self, streams: usize) {
        self.state().streams = streams;
    }

    /// An attempt for a rule has succeeded.
    pub(super) fn succeeded(&self, rule_id: Uuid) {
        self.state().failing.remove(&rule_id);
    }

    /// An attempt for a rule of this app has failed.
    pub(super) fn failed(&self, rule_id: Uuid, app: impl FnOnce() -> String) {
        let mut state = self.state();
        let rule = state.failing.entry(rule_id);
        let rule = rule.or_insert_with(|| FailingRule { app: app(), in_a_row: 0 });
        rule.in_a_row = rule.in_a_row.saturating_add(1);
    }

    /// Forgets the rules that are not there any more.
    pub(super) fn keep(&self, is_there: impl Fn(Uuid) -> bool) {
        self.state().failing.retain(|rule_id, _| is_there(*rule_id));
    }

    fn state(&self) -> MutexGuard<'_, Delivery> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
