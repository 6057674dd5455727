//! The callback rules that are on, as the dispatcher last read them, and which of them are paused. A pause
//! that one instance begins is kept in the database, where the others find it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::schedule::{RuleEffect, pause};
use crate::{
    domain::Error,
    store::{
        Db,
        callback_rules::{self, EnabledRule, Pause},
    },
};

/// For how long the rules are used before they are read again.
const MAX_AGE: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(super) struct Rules {
    by_id: HashMap<Uuid, RuleState>,
    read_at: Option<Instant>,
    /// How many rules could not be read.
    unreadable: usize,
}

#[derive(Debug)]
struct RuleState {
    enabled: Arc<EnabledRule>,
    pause: Pause,
    /// The pause is not in the database yet.
    unsaved: bool,
    /// Ends the rule's running streams, each after its current attempt.
    halt: CancellationToken,
}

impl Rules {
    /// Has the rules read again at the next [`Self::refresh`].
    pub(super) fn expire(&mut self) {
        self.read_at = None;
    }

    /// Reads the rules again if they are older than [`MAX_AGE`]. Halts the streams of rules that were
    /// changed, switched off or deleted.
    pub(super) async fn refresh(&mut self, db: &Db) -> Result<(), Error> {
        if self.read_at.is_some_and(|read_at| read_at.elapsed() < MAX_AGE) {
            return Ok(());
        }
        let enabled = db.read_once(async |db| callback_rules::enabled(db).await);
        let (enabled, unreadable) = enabled.await?;
        if unreadable != self.unreadable {
            tracing::error!(unreadable, "callback rules that can't be read are left out");
            self.unreadable = unreadable;
        }
        let mut before = std::mem::take(&mut self.by_id);
        for enabled in enabled {
            let id = enabled.rule.id;
            let state = match before.remove(&id) {
                Some(mut state) if state.enabled.rule.modified_at == enabled.rule.modified_at => {
                    state.learn(enabled.pause);
                    state
                }
                // A changed rule may name another receiver: the old one's pause does not count for it.
                changed => {
                    changed.inspect(|state| state.halt.cancel());
                    RuleState::new(enabled)
                }
            };
            self.by_id.insert(id, state);
        }
        for switched_off in before.into_values() {
            switched_off.halt.cancel();
        }
        self.read_at = Some(Instant::now());
        Ok(())
    }

    /// The rules that are not paused.
    pub(super) fn ready(&self, now: OffsetDateTime) -> impl Iterator<Item = Uuid> {
        let ready = move |state: &RuleState| !state.is_paused(now);
        self.by_id.iter().filter(move |(_, state)| ready(state)).map(|(id, _)| *id)
    }

    /// A rule, and the token that halts its streams.
    pub(super) fn get(&self, rule_id: Uuid) -> Option<(Arc<EnabledRule>, CancellationToken)> {
        let state = self.by_id.get(&rule_id)?;
        Some((Arc::clone(&state.enabled), state.halt.clone()))
    }

    /// Applies what an attempt that ended at `at` tells about its rule.
    pub(super) fn apply(&mut self, rule_id: Uuid, effect: RuleEffect, at: OffsetDateTime) {
        let Some(state) = self.by_id.get_mut(&rule_id) else { return };
        match effect {
            RuleEffect::Works => {
                state.unsaved |= state.pause.slow_downs > 0;
                state.pause.slow_downs = 0;
            }
            RuleEffect::Unchanged => {}
            RuleEffect::SlowDown { asked } => state.slow_down(at, asked),
            RuleEffect::SwitchOff => {
                tracing::info!(%rule_id, "callback rule switched off: 410");
                // The rules are read again before this pause ends.
                state.pause_until(at + MAX_AGE * 2);
                self.expire();
            }
        }
    }

    /// The pauses that the other instances do not know yet, each with its rule's id and version.
    pub(super) fn unsaved_pauses(&self) -> Vec<((Uuid, OffsetDateTime), Pause)> {
        let unsaved = self.by_id.iter().filter(|(_, state)| state.unsaved);
        unsaved.map(|(id, state)| ((*id, state.enabled.rule.modified_at), state.pause)).collect()
    }

    /// Notes that all pauses are in the database.
    pub(super) fn pauses_are_saved(&mut self) {
        self.by_id.values_mut().for_each(|state| state.unsaved = false);
    }
}

impl RuleState {
    fn new(enabled: EnabledRule) -> Self {
        Self {
            pause: enabled.pause,
            enabled: Arc::new(enabled),
            unsaved: false,
            halt: CancellationToken::new(),
        }
    }

    fn is_paused(&self, now: OffsetDateTime) -> bool {
        self.pause.until.is_some_and(|until| until > now)
    }

    /// Takes over what the instances have written, unless this one has to write first.
    fn learn(&mut self, stored: Pause) {
        if let Some(until) = stored.until.filter(|_| stored.until > self.pause.until) {
            self.pause_until(until);
        }
        if !self.unsaved {
            self.pause.slow_downs = stored.slow_downs;
        }
    }

    /// Sends nothing before `until`.
    fn pause_until(&mut self, until: OffsetDateTime) {
        self.pause.until = self.pause.until.max(Some(until));
        std::mem::take(&mut self.halt).cancel();
    }

    /// Pauses the rule because its receiver can't keep up. Attempts that were running when a pause began
    /// do not lengthen the next one: they belong to the same overload.
    fn slow_down(&mut self, at: OffsetDateTime, asked: Option<Duration>) {
        if !self.is_paused(at) {
            self.pause.slow_downs += 1;
        }
        self.pause_until(at + pause(asked, self.pause.slow_downs));
        self.unsaved = true;
    }
}
