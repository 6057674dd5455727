//! The leases of one dispatcher: which partitions of the outbox it holds, and until when.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    domain::Error,
    store::{Db, Tx, outbox_leases},
};

/// How many partitions the outbox has.
const PARTITIONS: i64 = 256;

/// An instance counts as gone after this many lease times without a renewal, and its row is deleted.
const FORGOTTEN_AFTER: f64 = 10.0;

/// The leases of one dispatcher.
#[derive(Debug)]
pub(super) struct PartitionLeases {
    dispatcher_id: Uuid,
    /// How long a lease lasts without a renewal.
    duration: Duration,
    /// Whether this instance lets callbacks go to private addresses.
    allows_private: bool,
    /// Whether another instance said otherwise at the last renewal.
    differs: bool,
    held: HeldPartitions,
    /// How many streams run in each partition. A partition is released only when none does.
    streams: BTreeMap<i16, usize>,
    /// Held partitions beyond the fair share. No stream starts in them.
    surplus: BTreeSet<i16>,
    /// The dispatcher is stopping: its share is nothing.
    retiring: bool,
}

/// The held partitions with their fencing tokens, and until when they are held without a renewal.
#[derive(Clone, Debug)]
pub(super) struct HeldPartitions {
    fencing_tokens: Arc<BTreeMap<i16, i64>>,
    until: Instant,
}

impl HeldPartitions {
    /// Whether a partition is still held under this fencing token. A partition that was lost and won back
    /// has another token, because another instance may have delivered events of it in between.
    pub(super) fn holds(&self, partition: i16, fencing_token: i64) -> bool {
        Instant::now() < self.until && self.fencing_tokens.get(&partition) == Some(&fencing_token)
    }
}

impl PartitionLeases {
    pub(super) fn new(duration: Duration, allows_private: bool) -> Self {
        Self {
            dispatcher_id: Uuid::new_v4(),
            duration,
            allows_private,
            differs: false,
            held: HeldPartitions { fencing_tokens: Arc::default(), until: Instant::now() },
            streams: BTreeMap::new(),
            surplus: BTreeSet::new(),
            retiring: false,
        }
    }

    /// How often to renew the leases.
    pub(super) fn renewal(&self) -> Duration {
        self.duration / 3
    }

    /// Whether a renewal is due.
    pub(super) fn are_due(&self) -> bool {
        let left = self.held.until.saturating_duration_since(Instant::now());
        left < self.duration - self.renewal()
    }

    /// Under which id the leases are held.
    pub(super) fn dispatcher_id(&self) -> Uuid {
        self.dispatcher_id
    }

    /// How many partitions are held, or were until their leases ended.
    pub(super) fn count(&self) -> usize {
        self.held.fencing_tokens.len()
    }

    /// Whether the dispatcher still holds partitions.
    pub(super) fn hold_any(&self) -> bool {
        !self.held.fencing_tokens.is_empty()
    }

    /// Whether all leases have ended.
    pub(super) fn have_ended(&self) -> bool {
        Instant::now() >= self.held.until
    }

    /// The partitions that are held now.
    pub(super) fn held(&self) -> HeldPartitions {
        self.held.clone()
    }

    /// The partitions in which new streams may start.
    pub(super) fn open(&self) -> Vec<i16> {
        if self.have_ended() {
            return Vec::new();
        }
        let partitions = self.held.fencing_tokens.keys().copied();
        partitions.filter(|partition| !self.surplus.contains(partition)).collect()
    }

    /// Counts a stream that starts in a partition. Returns the partition's fencing token, or `None` if it
    /// is not held.
    pub(super) fn start_stream(&mut self, partition: i16) -> Option<i64> {
        let fencing_token = *self.held.fencing_tokens.get(&partition)?;
        *self.streams.entry(partition).or_default() += 1;
        Some(fencing_token)
    }

    /// Counts a stream that has ended.
    pub(super) fn end_stream(&mut self, partition: i16) {
        if let Some(count) = self.streams.get_mut(&partition) {
            *count -= 1;
            if *count == 0 {
                self.streams.remove(&partition);
            }
        }
    }

    /// From the next renewal on, all partitions are surplus and none is claimed.
    pub(super) fn retire(&mut self) {
        self.retiring = true;
    }

    /// Renews the leases, and claims or releases partitions until the dispatcher holds its fair share.
    pub(super) async fn renew(&mut self, db: &Db) -> Result<(), Error> {
        // Counted from before the request: in the database the leases end later than here.
        let asked_at = Instant::now();
        let seconds = self.duration.as_secs_f64();
        let mut tx = db.begin(asked_at + self.renewal()).await?;
        let share = self.fair_share(&mut tx).await?;
        let mut held = outbox_leases::renew(&mut tx, self.dispatcher_id, seconds).await?;
        let missing = share - i64::try_from(held.len()).unwrap_or(PARTITIONS);
        if missing > 0 {
            held.extend(outbox_leases::claim(&mut tx, self.dispatcher_id, seconds, missing).await?);
        }
        tx.commit().await?;
        let fencing_tokens: BTreeMap<i16, i64> = held.into_iter().collect();
        let share = usize::try_from(share).unwrap_or(usize::MAX);
        self.surplus = fencing_tokens.keys().copied().skip(share).collect();
        let until = asked_at + self.duration;
        self.held = HeldPartitions { fencing_tokens: Arc::new(fencing_tokens), until };
        self.release_surplus(db).await
    }

    /// Counts the dispatchers, this one included, and returns how many partitions each may hold.
    async fn fair_share(&mut self, tx: &mut Tx) -> Result<i64, Error> {
        if self.retiring {
            outbox_leases::leave(tx, self.dispatcher_id).await?;
            return Ok(0);
        }
        let seconds = self.duration.as_secs_f64();
        outbox_leases::mark_alive(tx, self.dispatcher_id, self.allows_private).await?;
        outbox_leases::remove_dead(tx, seconds * FORGOTTEN_AFTER).await?;
        let (alive, others) = outbox_leases::count_alive(tx, seconds, self.allows_private).await?;
        self.tell_of_differences(others > 0);
        let alive = alive.max(1);
        Ok((PARTITIONS + alive - 1) / alive)
    }

    /// Says once, when it begins and when it ends, that what becomes of a callback to a private address
    /// depends on the instance that sends it.
    fn tell_of_differences(&mut self, differs: bool) {
        if differs && !self.differs {
            let this_instance = self.allows_private;
            tracing::warn!(
                this_instance,
                "instances differ in --callback-allow-private: some callbacks to private addresses fail"
            );
        } else if self.differs && !differs {
            tracing::info!("all instances agree in --callback-allow-private");
        }
        self.differs = differs;
    }

    /// Releases the surplus partitions in which no stream runs.
    pub(super) async fn release_surplus(&mut self, db: &Db) -> Result<(), Error> {
        let idle: Vec<i16> =
            self.surplus.iter().copied().filter(|p| !self.streams.contains_key(p)).collect();
        if idle.is_empty() {
            return Ok(());
        }
        let mut tx = db.begin(Instant::now() + self.renewal()).await?;
        outbox_leases::release(&mut tx, self.dispatcher_id, &idle).await?;
        tx.commit().await?;
        let fencing_tokens = Arc::make_mut(&mut self.held.fencing_tokens);
        for partition in idle {
            fencing_tokens.remove(&partition);
            self.surplus.remove(&partition);
        }
        Ok(())
    }

    /// Those of `leases`, partitions with their fencing tokens, that this dispatcher still holds. It keeps
    /// them until the transaction ends.
    pub(super) async fn fence(
        &self,
        tx: &mut Tx,
        leases: BTreeSet<(i16, i64)>,
    ) -> Result<BTreeSet<(i16, i64)>, Error> {
        let leases: Vec<(i16, i64)> = leases.into_iter().collect();
        let held = outbox_leases::fence(tx, self.dispatcher_id, &leases).await?;
        Ok(held.into_iter().collect())
    }
}
