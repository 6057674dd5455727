//! The CheckSums that were accepted and are still valid, so that none is accepted again.
//!
//! The memory is shared fairly: an app that has its share forgets its own oldest CheckSums, and none of
//! another app's.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::domain::room_for;

/// How often the CheckSums of all apps are looked through for those that are not valid any more.
const SWEEP: Duration = Duration::SECOND;

pub(super) struct Replays {
    max: usize,
    remembered: Mutex<Remembered>,
}

#[derive(Default)]
struct Remembered {
    count: usize,
    apps: HashMap<Uuid, OfApp>,
    swept_at: Option<OffsetDateTime>,
}

/// The first 8 bytes of each CheckSum, in the order in which they came, and how long they are valid, in
/// seconds since the epoch.
#[derive(Default)]
struct OfApp {
    sums: HashSet<u64>,
    order: VecDeque<(u64, i64)>,
}

impl Replays {
    /// Remembers at most `max` CheckSums.
    pub(super) fn new(max: usize) -> Self {
        Self { max, remembered: Mutex::default() }
    }

    /// Whether a CheckSum of an app, valid until `until`, comes for the first time. Remembers it.
    pub(super) fn is_new(
        &self,
        app_id: Uuid,
        sum: [u8; 20],
        until: OffsetDateTime,
        now: OffsetDateTime,
    ) -> bool {
        let sum = u64::from_be_bytes(*sum.first_chunk().expect("20 bytes have a first 8"));
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.apps.get(&app_id).is_some_and(|of_app| of_app.sums.contains(&sum)) {
            return false;
        }
        remembered.make_room(self.max, app_id, now);
        let of_app = remembered.apps.entry(app_id).or_default();
        of_app.sums.insert(sum);
        of_app.order.push_back((sum, until.unix_timestamp()));
        remembered.count += 1;
        true
    }
}

impl Remembered {
    /// Makes room for one more CheckSum of an app.
    fn make_room(&mut self, max: usize, app_id: Uuid, now: OffsetDateTime) {
        if self.room(max, app_id) {
            return;
        }
        if self.swept_at.is_none_or(|swept_at| now - swept_at >= SWEEP) {
            self.swept_at = Some(now);
            self.forget_expired(now);
        }
        if !self.room(max, app_id) {
            // An app that has none finds no room only where there are about as many apps as room.
            let own = self.apps.contains_key(&app_id).then_some(app_id);
            let largest = || self.apps.iter().max_by_key(|(_, of_app)| of_app.order.len());
            if let Some(id) = own.or_else(|| largest().map(|(id, _)| *id)) {
                self.forget_oldest(id);
            }
        }
    }

    fn room(&self, max: usize, app_id: Uuid) -> bool {
        let held = self.apps.get(&app_id).map_or(0, |of_app| of_app.order.len());
        room_for(held, max.saturating_sub(self.count), max) > 0
    }

    fn forget_oldest(&mut self, app_id: Uuid) {
        let Some(of_app) = self.apps.get_mut(&app_id) else { return };
        if let Some((sum, _)) = of_app.order.pop_front() {
            of_app.sums.remove(&sum);
            self.count -= 1;
        }
    }

    fn forget_expired(&mut self, now: OffsetDateTime) {
        let now = now.unix_timestamp();
        for of_app in self.apps.values_mut() {
            let OfApp { sums, order } = of_app;
            order.retain(|(sum, until)| {
                let valid = *until >= now;
                if !valid {
                    sums.remove(sum);
                }
                valid
            });
        }
        self.apps.retain(|_, of_app| !of_app.order.is_empty());
        self.count = self.apps.values().map(|of_app| of_app.order.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: OffsetDateTime = time::macros::datetime!(2026-11-21 12:00 UTC);

    fn sum(number: u8) -> [u8; 20] {
        [number; 20]
    }

    #[test]
    fn a_checksum_is_new_once_for_each_app() {
        let replays = Replays::new(100);
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert!(replays.is_new(one, sum(1), NOON, NOON));
        assert!(!replays.is_new(one, sum(1), NOON, NOON));
        assert!(replays.is_new(other, sum(1), NOON, NOON));
        assert!(replays.is_new(one, sum(2), NOON, NOON));
    }

    #[test]
    fn an_app_with_many_checksums_forgets_its_own_and_none_of_another_app() {
        let replays = Replays::new(32);
        let (busy, quiet) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let until = NOON + Duration::MINUTE;
        assert!(replays.is_new(quiet, sum(1), until, NOON));
        for number in 0..200 {
            assert!(replays.is_new(busy, sum(number), until, NOON));
        }
        assert!(!replays.is_new(quiet, sum(1), until, NOON));
        assert!(!replays.is_new(busy, sum(199), until, NOON));
        assert!(replays.is_new(busy, sum(0), until, NOON), "its oldest is forgotten");
        assert!(replays.remembered.lock().unwrap().count <= 32);
    }

    #[test]
    fn checksums_that_are_not_valid_any_more_make_room() {
        let replays = Replays::new(32);
        let (busy, next) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for number in 0..20 {
            assert!(replays.is_new(busy, sum(number), NOON, NOON));
        }
        let later = NOON + Duration::MINUTE;
        for number in 0..20 {
            assert!(replays.is_new(next, sum(number), later, later));
        }
        assert!(!replays.is_new(next, sum(0), later, later));
        assert_eq!(replays.remembered.lock().unwrap().count, 20);
    }
}
