//! How a bounded number of places is shared, so that nobody takes them all from the others.
//!
//! Whoever holds places gets a further one only while they hold less than twice as many as are free. The
//! last sixteenth of all places does not count as free there: it is for those who hold none. So a single
//! holder can take 62 %, two who want all get about 38 % each once they have both held some for a while,
//! and nothing is kept for holders who are not there.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Which part of the places is for those who hold none.
const RESERVE: usize = 16;

/// Whether somebody who holds `held` of `max` places may take one more of the `free` ones.
const fn may_take(held: usize, free: usize, max: usize) -> bool {
    free > 0 && (held == 0 || held < free.saturating_sub(max / RESERVE).saturating_mul(2))
}

/// How many more of `max` places somebody who holds `held` may take one after the other, while `free` are
/// free.
#[must_use]
pub const fn room_for(held: usize, free: usize, max: usize) -> usize {
    let shared = free.saturating_sub(max / RESERVE);
    let room = shared.saturating_mul(2).saturating_sub(held).div_ceil(3);
    if room == 0 && may_take(held, free, max) { 1 } else { room }
}

/// A bounded number of places, counted without a lock.
#[derive(Debug)]
pub struct Places {
    max: usize,
    taken: AtomicUsize,
}

/// How many places of one kind somebody holds.
#[derive(Debug, Default)]
pub struct Held(AtomicUsize);

impl Places {
    /// `max` places, all free.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { max, taken: AtomicUsize::new(0) }
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes a place for the holder, until [`Self::give_back`]. False when the holder has its share
    /// already.
    #[must_use]
    pub fn take(&self, held: &Held) -> bool {
        let taken = self.taken.fetch_add(1, Ordering::Relaxed);
        let holds = held.0.fetch_add(1, Ordering::Relaxed);
        let may = may_take(holds, self.max.saturating_sub(taken), self.max);
        if !may {
            self.give_back(held);
        }
        may
    }

    /// Takes so many places for the holder, or none of them, until [`Self::give_back_many`]. False when they
    /// would be more than the holder's share.
    #[must_use]
    pub fn take_many(&self, held: &Held, count: usize) -> bool {
        let taken = self.taken.fetch_add(count, Ordering::Relaxed);
        let holds = held.0.fetch_add(count, Ordering::Relaxed);
        let may = room_for(holds, self.max.saturating_sub(taken), self.max) >= count;
        if !may {
            self.give_back_many(held, count);
        }
        may
    }

    /// Gives a place of the holder back.
    pub fn give_back(&self, held: &Held) {
        self.give_back_many(held, 1);
    }

    /// Gives so many places of the holder back.
    pub fn give_back_many(&self, held: &Held, count: usize) {
        held.0.fetch_sub(count, Ordering::Relaxed);
        self.taken.fetch_sub(count, Ordering::Relaxed);
    }
}

/// A place of a holder, which is free again when this is dropped.
#[derive(Debug)]
pub struct TakenPlace {
    places: Arc<Places>,
    held: Arc<Held>,
}

impl TakenPlace {
    /// Takes a place; `None` when the holder has its share already.
    #[must_use]
    pub fn of(places: &Arc<Places>, held: Arc<Held>) -> Option<Self> {
        places.take(&held).then(|| Self { places: Arc::clone(places), held })
    }
}

impl Drop for TakenPlace {
    fn drop(&mut self) {
        self.places.give_back(&self.held);
    }
}

/// What each holder holds, by the holder's key. It is kept for as long as somebody uses it.
#[derive(Debug)]
pub struct Holders<K, H>(Mutex<HashMap<K, Weak<H>>>);

impl<K, H> Default for Holders<K, H> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, H: Default> Holders<K, H> {
    /// What the holder holds; all who ask for the same key share it.
    #[must_use]
    pub fn of(&self, key: K) -> Arc<H> {
        let mut holders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = holders.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        if holders.len() == holders.capacity() {
            holders.retain(|_, holder| holder.strong_count() > 0);
            // With room for as many again, so that the next look at all of them is far away.
            let living = holders.len();
            holders.reserve(living);
        }
        let new = Arc::default();
        holders.insert(key, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many places each of the holders gets when all take in turn what they can.
    fn shares(max: usize, holders: usize) -> Vec<usize> {
        let places = Places::new(max);
        let all: Vec<Held> = (0..holders).map(|_| Held::default()).collect();
        let mut shares = vec![0; holders];
        let mut round = || {
            let took = all.iter().map(|held| places.take(held));
            let took: Vec<bool> = took.collect();
            shares.iter_mut().zip(&took).for_each(|(share, took)| *share += usize::from(*took));
            took.contains(&true)
        };
        while round() {}
        assert_eq!(places.taken(), shares.iter().sum::<usize>());
        shares
    }

    #[test]
    fn a_greedy_holder_leaves_a_third_and_many_leave_a_place_for_who_comes_late() {
        assert_eq!(shares(1024, 1), [640]);
        assert_eq!(shares(1024, 2), [384, 384]);
        let places = Places::new(1024);
        let greedy: Vec<Held> = (0..60).map(|_| Held::default()).collect();
        for held in &greedy {
            while places.take(held) {}
        }
        assert!(places.take(&Held::default()));
    }

    #[test]
    fn few_places_are_shared_too_and_a_single_one_can_be_taken() {
        assert_eq!([1, 2, 3, 4, 8].map(|max| shares(max, 1)[0]), [1, 2, 2, 3, 6]);
        assert_eq!(shares(0, 1), [0]);
        let places = Places::new(1);
        let (one, other) = (Held::default(), Held::default());
        assert!(places.take(&one) && !places.take(&one) && !places.take(&other));
        places.give_back(&one);
        assert!(places.take(&other));
    }

    #[test]
    fn the_room_is_what_can_be_taken_one_after_the_other() {
        for (held, free) in (0..40).flat_map(|held| (0..40).map(move |free| (held, free))) {
            let max = held + free;
            let mut took = 0;
            while may_take(held + took, free - took, max) {
                took += 1;
            }
            assert_eq!(room_for(held, free, max), took, "{held} held, {free} free");
        }
    }

    #[test]
    fn many_places_are_taken_together_or_not_at_all() {
        let places = Places::new(1024);
        let (one, other) = (Held::default(), Held::default());
        assert!(!places.take_many(&one, 641) && places.taken() == 0);
        assert!(places.take_many(&one, 640) && !places.take_many(&one, 1));
        assert!(places.take_many(&other, 200) && places.taken() == 840);
        places.give_back_many(&one, 640);
        assert_eq!(places.taken(), 200);
    }

    #[test]
    fn a_holder_is_forgotten_when_nobody_uses_what_it_holds() {
        let holders = Holders::<u32, Held>::default();
        let kept = holders.of(0);
        for key in 1..10_000 {
            drop(holders.of(key));
        }
        assert!(Arc::ptr_eq(&kept, &holders.of(0)));
        assert!(holders.0.lock().unwrap().len() < 100);
    }
}
