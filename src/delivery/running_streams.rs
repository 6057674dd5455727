//! The streams that are running, by rule: how many they are, which owners they belong to, and how many
//! more may start.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::stream::StreamKey;
use crate::domain::{OwnerKey, room_for};

#[derive(Debug)]
pub(super) struct RunningStreams {
    max: usize,
    max_per_rule: usize,
    by_rule: HashMap<Uuid, OfRule>,
    by_app: HashMap<Uuid, usize>,
    count: usize,
}

#[derive(Debug)]
struct OfRule {
    app_id: Uuid,
    owners: HashSet<OwnerKey>,
}

impl RunningStreams {
    /// None yet, and at most `max`, of which one rule has at most `max_per_rule`.
    pub(super) fn new(max: usize, max_per_rule: usize) -> Self {
        Self { max, max_per_rule, by_rule: HashMap::new(), by_app: HashMap::new(), count: 0 }
    }

    /// Counts a stream of an app's rule.
    pub(super) fn insert(&mut self, key: StreamKey, app_id: Uuid) {
        let of_rule = OfRule { app_id, owners: HashSet::new() };
        if self.by_rule.entry(key.rule_id).or_insert(of_rule).owners.insert(key.owner) {
            *self.by_app.entry(app_id).or_default() += 1;
            self.count += 1;
        }
    }

    pub(super) fn remove(&mut self, key: StreamKey) {
        let Some(of_rule) = self.by_rule.get_mut(&key.rule_id) else { return };
        let app_id = of_rule.app_id;
        if of_rule.owners.remove(&key.owner) {
            self.count -= 1;
            if let Some(count) = self.by_app.get_mut(&app_id) {
                *count -= 1;
            }
        }
        if of_rule.owners.is_empty() {
            self.by_rule.remove(&key.rule_id);
        }
        if self.count_of_app(app_id) == 0 {
            self.by_app.remove(&app_id);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn count_of(&self, rule_id: Uuid) -> usize {
        self.by_rule.get(&rule_id).map_or(0, |of_rule| of_rule.owners.len())
    }

    fn count_of_app(&self, app_id: Uuid) -> usize {
        self.by_app.get(&app_id).copied().unwrap_or(0)
    }

    /// How many streams of an app's rule may still start. Receivers that hang leave places to the other
    /// rules and to the other apps. A rule without any stream may have one of whatever is free.
    pub(super) fn room(&self, rule_id: Uuid, app_id: Uuid) -> usize {
        let free = self.max.saturating_sub(self.count);
        let of_rule = self.count_of(rule_id);
        let room = room_for(of_rule, free, self.max)
            .min(room_for(self.count_of_app(app_id), free, self.max))
            .min(self.max_per_rule.saturating_sub(of_rule));
        if of_rule == 0 { room.max(free.min(1)) } else { room }
    }

    pub(super) fn owners_of(&self, rule_id: Uuid) -> Vec<OwnerKey> {
        self.by_rule
            .get(&rule_id)
            .into_iter()
            .flat_map(|of_rule| of_rule.owners.iter().copied())
            .collect()
    }
}
