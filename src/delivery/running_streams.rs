//! The streams that are running, by rule: how many they are, and which owners they belong to.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::stream::StreamKey;
use crate::domain::OwnerKey;

#[derive(Debug, Default)]
pub(super) struct RunningStreams {
    by_rule: HashMap<Uuid, HashSet<OwnerKey>>,
    count: usize,
}

impl RunningStreams {
    pub(super) fn insert(&mut self, key: StreamKey) {
        if self.by_rule.entry(key.rule_id).or_default().insert(key.owner) {
            self.count += 1;
        }
    }

    pub(super) fn remove(&mut self, key: StreamKey) {
        let Some(owners) = self.by_rule.get_mut(&key.rule_id) else { return };
        if owners.remove(&key.owner) {
            self.count -= 1;
        }
        if owners.is_empty() {
            self.by_rule.remove(&key.rule_id);
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn count_of(&self, rule_id: Uuid) -> usize {
        self.by_rule.get(&rule_id).map_or(0, HashSet::len)
    }

    pub(super) fn owners_of(&self, rule_id: Uuid) -> Vec<OwnerKey> {
        self.by_rule.get(&rule_id).into_iter().flatten().copied().collect()
    }
}
