//! Which parts this relay holds, and for how long.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    domain::Error,
    store::{Db, leases},
};

/// The parts of the outbox.
const PARTS: i64 = 256;

/// A relay's leases.
#[derive(Debug)]
pub(super) struct Leases {
    relay: Uuid,
    length: Duration,
    tokens: BTreeMap<i16, i64>,
    /// Events under way, by part: a part is given back only when none is.
    under_way: BTreeMap<i16, usize>,
    /// Parts beyond our share, given back as soon as nothing of them is under way.
    leaving: BTreeSet<i16>,
    valid_until: Instant,
}

impl Leases {
    pub(super) fn new(length: Duration) -> Self {
        Self {
            relay: Uuid::new_v4(),
            length,
            tokens: BTreeMap::new(),
            under_way: BTreeMap::new(),
            leaving: BTreeSet::new(),
            valid_until: Instant::now(),
        }
    }

    /// How often to renew.
    pub(super) fn renewal(&self) -> Duration {
        self.length / 3
    }

    /// Until when the leases hold without being renewed.
    pub(super) fn valid_until(&self) -> Instant {
        self.valid_until
    }

    /// The parts of which new streams may be begun.
    pub(super) fn open(&self) -> Vec<i16> {
        if Instant::now() >= self.valid_until {
            return Vec::new();
        }
        self.tokens.keys().copied().filter(|part| !self.leaving.contains(part)).collect()
    }

    pub(super) fn begin(&mut self, part: i16) {
        *self.under_way.entry(part).or_default() += 1;
    }

    pub(super) fn end(&mut self, part: i16) {
        if let Some(count) = self.under_way.get_mut(&part) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(&part);
            }
        }
    }

    /// Says that we are alive, renews what we hold, and takes or gives back parts until we hold our
    /// fair share.
    pub(super) async fn renew(&mut self, db: &Db) -> Result<(), Error> {
        // Counted from before the request: the database counts from later on.
        let asked = Instant::now();
        let secs = self.length.as_secs_f64();
        let mut tx = db.begin(asked + self.length).await?;
        let alive = leases::seen(&mut tx, self.relay, secs).await?.max(1);
        let share = (PARTS + alive - 1) / alive;
        let mut held = leases::renew(&mut tx, self.relay, secs).await?;
        let missing = share - i64::try_from(held.len()).unwrap_or(PARTS);
        if missing > 0 {
            held.extend(leases::claim(&mut tx, self.relay, secs, missing).await?);
        }
        tx.commit().await?;
        self.tokens = held.into_iter().collect();
        self.valid_until = asked + self.length;
        let share = usize::try_from(share).unwrap_or(usize::MAX);
        self.leaving = self.tokens.keys().copied().skip(share).collect();
        self.give_back(db).await
    }

    async fn give_back(&mut self, db: &Db) -> Result<(), Error> {
        let idle: Vec<i16> =
            self.leaving.iter().copied().filter(|p| !self.under_way.contains_key(p)).collect();
        if idle.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin(Instant::now() + self.length).await?;
        leases::release(&mut tx, self.relay, &idle).await?;
        tx.commit().await?;
        for part in idle {
            self.tokens.remove(&part);
            self.leaving.remove(&part);
        }
        Ok(())
    }

    /// Those of the parts that are still ours, which they stay until the transaction ends.
    pub(super) async fn fence(
        &self,
        tx: &mut sqlx::PgConnection,
        parts: impl Iterator<Item = i16>,
    ) -> Result<BTreeSet<i16>, Error> {
        let held: BTreeSet<(i16, i64)> =
            parts.filter_map(|part| Some((part, *self.tokens.get(&part)?))).collect();
        let held: Vec<(i16, i64)> = held.into_iter().collect();
        Ok(leases::fence(tx, self.relay, &held).await?.into_iter().collect())
    }

    /// Gives everything back, so that others need not wait for the leases to run out.
    pub(super) async fn leave(&mut self, db: &Db) -> Result<(), Error> {
        let parts: Vec<i16> = self.tokens.keys().copied().collect();
        let mut tx = db.begin(Instant::now() + self.length).await?;
        leases::release(&mut tx, self.relay, &parts).await?;
        leases::leave(&mut tx, self.relay).await?;
        tx.commit().await?;
        self.tokens.clear();
        self.leaving.clear();
        Ok(())
    }
}
