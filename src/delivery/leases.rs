//! Which parts this relay holds, and for how long.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
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
    held: Held,
    /// Streams under way, by part: a part is given back only when none is.
    under_way: BTreeMap<i16, usize>,
    /// Parts beyond our share, given back as soon as nothing of them is under way.
    leaving: BTreeSet<i16>,
    /// We are about to stop: our share is nothing.
    retiring: bool,
}

/// What is held: each part with the token under which it is, and until when without being renewed.
#[derive(Clone, Debug)]
pub(super) struct Held {
    tokens: Arc<BTreeMap<i16, i64>>,
    until: Instant,
}

impl Held {
    /// Whether a part is still held under the token that it had when its stream began. A part that
    /// was lost and won back has another: somebody else may have delivered from it meanwhile.
    pub(super) fn holds(&self, part: i16, token: i64) -> bool {
        Instant::now() < self.until && self.tokens.get(&part) == Some(&token)
    }
}

impl Leases {
    pub(super) fn new(length: Duration) -> Self {
        Self {
            relay: Uuid::new_v4(),
            length,
            held: Held { tokens: Arc::default(), until: Instant::now() },
            under_way: BTreeMap::new(),
            leaving: BTreeSet::new(),
            retiring: false,
        }
    }

    /// How often to renew.
    pub(super) fn renewal(&self) -> Duration {
        self.length / 3
    }

    /// Whether a renewal is due: what else is done must not take the time for it.
    pub(super) fn are_due(&self) -> bool {
        self.held.until.saturating_duration_since(Instant::now()) < self.length - self.renewal()
    }

    /// Whether anything is still to be given back.
    pub(super) fn hold_any(&self) -> bool {
        !self.held.tokens.is_empty()
    }

    /// Whether all leases have run out.
    pub(super) fn have_ended(&self) -> bool {
        Instant::now() >= self.held.until
    }

    /// What is held now.
    pub(super) fn held(&self) -> Held {
        self.held.clone()
    }

    /// The parts of which new streams may be begun.
    pub(super) fn open(&self) -> Vec<i16> {
        if self.have_ended() {
            return Vec::new();
        }
        self.held.tokens.keys().copied().filter(|part| !self.leaving.contains(part)).collect()
    }

    /// Notes that a stream of the part begins; under which token, if we hold the part.
    pub(super) fn begin(&mut self, part: i16) -> Option<i64> {
        let token = *self.held.tokens.get(&part)?;
        *self.under_way.entry(part).or_default() += 1;
        Some(token)
    }

    pub(super) fn end(&mut self, part: i16) {
        if let Some(count) = self.under_way.get_mut(&part) {
            *count -= 1;
            if *count == 0 {
                self.under_way.remove(&part);
            }
        }
    }

    /// From the next renewal on, gives back everything of which nothing is under way, and takes no
    /// more.
    pub(super) fn retire(&mut self) {
        self.retiring = true;
    }

    /// Says that we are alive, renews what we hold, and takes or gives back parts until we hold our
    /// fair share.
    pub(super) async fn renew(&mut self, db: &Db) -> Result<(), Error> {
        // Counted from before the request: the database counts from later on.
        let asked = Instant::now();
        let secs = self.length.as_secs_f64();
        let mut tx = db.begin(asked + self.renewal()).await?;
        let share = if self.retiring {
            leases::leave(&mut tx, self.relay).await?;
            0
        } else {
            let alive = leases::seen(&mut tx, self.relay, secs).await?.max(1);
            (PARTS + alive - 1) / alive
        };
        let mut tokens = leases::renew(&mut tx, self.relay, secs).await?;
        let missing = share - i64::try_from(tokens.len()).unwrap_or(PARTS);
        if missing > 0 {
            tokens.extend(leases::claim(&mut tx, self.relay, secs, missing).await?);
        }
        tx.commit().await?;
        let tokens: BTreeMap<i16, i64> = tokens.into_iter().collect();
        let share = usize::try_from(share).unwrap_or(usize::MAX);
        self.leaving = tokens.keys().copied().skip(share).collect();
        self.held = Held { tokens: Arc::new(tokens), until: asked + self.length };
        self.give_back(db).await
    }

    /// Gives back those of the leaving parts of which nothing is under way any more.
    pub(super) async fn give_back(&mut self, db: &Db) -> Result<(), Error> {
        let idle: Vec<i16> =
            self.leaving.iter().copied().filter(|p| !self.under_way.contains_key(p)).collect();
        if idle.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin(Instant::now() + self.renewal()).await?;
        leases::release(&mut tx, self.relay, &idle).await?;
        tx.commit().await?;
        let tokens = Arc::make_mut(&mut self.held.tokens);
        for part in idle {
            tokens.remove(&part);
            self.leaving.remove(&part);
        }
        Ok(())
    }

    /// Those of the parts that are still ours under these tokens, which they stay until the
    /// transaction ends.
    pub(super) async fn fence(
        &self,
        tx: &mut sqlx::PgConnection,
        parts: BTreeSet<(i16, i64)>,
    ) -> Result<BTreeSet<(i16, i64)>, Error> {
        let parts: Vec<(i16, i64)> = parts.into_iter().collect();
        Ok(leases::fence(tx, self.relay, &parts).await?.into_iter().collect())
    }
}
