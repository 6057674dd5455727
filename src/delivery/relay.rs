//! The relay: one loop an instance, which leases, reads, hands out and settles.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use time::OffsetDateTime;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{Instant, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Postman,
    leases::Leases,
    schedule::{RuleEffect, Schedule, pause},
    settle::settle,
    stream::{self, Means, Report, StreamKey, Tried},
};
use crate::{
    clock::Clock,
    domain::{CallbackRule, Error, EventId, OwnerKey},
    store::{
        Db, callback_rules,
        outbox::{self, PendingEvent},
    },
};

/// How a relay works.
#[derive(Clone, Debug)]
pub struct RelaySettings {
    /// When failed tries are repeated.
    pub schedule: Schedule,
    /// Streams under way at once for one rule.
    pub per_rule: usize,
    /// Streams under way at once in all.
    pub in_all: usize,
    /// How long a lease holds without being renewed: so late another instance takes over.
    pub lease: Duration,
    /// How often the outbox is looked at unasked.
    pub poll: Duration,
}

/// How many events of a stream are read at once.
const DEPTH: i64 = 50;

/// For how long the list of rules is used before it is read again.
const RULES_AGE: Duration = Duration::from_millis(500);

/// How often the backlog is counted, and up to how many events.
const BACKLOG_INTERVAL: Duration = Duration::from_secs(15);
const BACKLOG_LIMIT: i64 = 100_000;

/// Tries settled in one transaction at the most.
const BATCH: usize = 500;

/// Delivers events until it is stopped.
pub struct Relay {
    db: Db,
    clock: Clock,
    news: Arc<Notify>,
    settings: RelaySettings,
    means: Means,
    reports: mpsc::Receiver<Report>,
    lease: watch::Sender<Instant>,
    leases: Leases,
    rules: HashMap<Uuid, RuleState>,
    rules_read: Option<Instant>,
    busy: HashSet<StreamKey>,
}

/// A rule that is on, and what is under way for it.
struct RuleState {
    rule: Arc<(CallbackRule, String)>,
    busy: usize,
    paused_until: Option<OffsetDateTime>,
    slow_downs: u32,
}

impl Relay {
    /// A relay on `db`, told of new events by `news`.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        news: Arc<Notify>,
        postman: Arc<Postman>,
        settings: RelaySettings,
    ) -> Self {
        let (sender, reports) = mpsc::channel(2 * BATCH);
        let leases = Leases::new(settings.lease);
        let (lease, watched) = watch::channel(leases.valid_until());
        let means = Means {
            postman,
            clock: clock.clone(),
            schedule: Arc::new(settings.schedule.clone()),
            reports: sender,
            lease: watched,
            stop: CancellationToken::new(),
        };
        Self {
            db,
            clock,
            news,
            settings,
            means,
            reports,
            lease,
            leases,
            rules: HashMap::new(),
            rules_read: None,
            busy: HashSet::new(),
        }
    }

    /// Works until `stop`; then finishes the tries under way, settles them and gives its parts back.
    pub async fn run(mut self, stop: CancellationToken) {
        let ticking = |period| {
            let mut ticks = interval(period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let mut poll = ticking(self.settings.poll);
        let mut renewal = ticking(self.leases.renewal());
        let mut backlog = ticking(BACKLOG_INTERVAL);
        let news = Arc::clone(&self.news);
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = renewal.tick() => self.renew().await,
                _ = self.reports.recv_many(&mut batch, BATCH) => {
                    let ended = self.take(&mut batch).await;
                    if ended {
                        self.dispatch().await;
                    }
                }
                () = news.notified() => self.dispatch().await,
                _ = poll.tick() => self.dispatch().await,
                _ = backlog.tick() => self.measure().await,
            }
        }
        self.wind_up(batch).await;
    }

    async fn wind_up(mut self, mut batch: Vec<Report>) {
        self.means.stop.cancel();
        while !self.busy.is_empty() {
            self.reports.recv_many(&mut batch, BATCH).await;
            self.take(&mut batch).await;
        }
        if let Err(error) = self.leases.leave(&self.db).await {
            tracing::warn!(%error, "the parts of the outbox are given back when their leases end");
        }
    }

    async fn renew(&mut self) {
        match self.leases.renew(&self.db).await {
            Ok(()) => {
                self.lease.send_replace(self.leases.valid_until());
            }
            Err(error) => tracing::warn!(%error, "the leases of the outbox could not be renewed"),
        }
    }

    /// Begins as many streams as there is room for.
    async fn dispatch(&mut self) {
        if let Err(error) = self.try_dispatch().await {
            tracing::warn!(%error, "the outbox could not be read");
        }
    }

    async fn try_dispatch(&mut self) -> Result<(), Error> {
        let parts = self.leases.open();
        if parts.is_empty() || self.busy.len() >= self.settings.in_all {
            return Ok(());
        }
        self.read_rules().await?;
        let now = self.clock.now();
        let ready: Vec<Uuid> = self
            .rules
            .iter()
            .filter(|(_, rule)| rule.busy < self.settings.per_rule)
            .filter(|(_, rule)| rule.paused_until.is_none_or(|until| until <= now))
            .map(|(id, _)| *id)
            .collect();
        if ready.is_empty() {
            return Ok(());
        }
        let mut db = self.db.read().await?;
        let active = outbox::active(&mut db, &ready, now).await;
        for rule_id in db.done(active)? {
            // Until a look finds no stream that is not under way: see `outbox::due`.
            while self.begin_some(rule_id, &parts, now).await? {}
        }
        Ok(())
    }

    /// Begins streams of a rule; false when there is no room or nothing was found.
    async fn begin_some(
        &mut self,
        rule_id: Uuid,
        parts: &[i16],
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let Some(rule) = self.rules.get(&rule_id) else { return Ok(false) };
        let room = self
            .settings
            .per_rule
            .saturating_sub(rule.busy)
            .min(self.settings.in_all.saturating_sub(self.busy.len()));
        if room == 0 {
            return Ok(false);
        }
        let of_rule = self.busy.iter().filter(|key| key.rule_id == rule_id);
        let busy: Vec<OwnerKey> = of_rule.map(|key| key.owner).collect();
        let streams = i64::try_from(room).unwrap_or(i64::MAX);
        let mut db = self.db.read().await?;
        let due = outbox::due(&mut db, rule_id, parts, &busy, (streams, DEPTH), now).await;
        let due = db.done(due)?;
        let mut held_back: Vec<(EventId, OffsetDateTime)> = Vec::new();
        let mut begun = false;
        for events in due.chunk_by(|a, b| a.event.id.owner == b.event.id.owner) {
            let head = &events[0];
            if head.next_attempt_at > now {
                held_back.push((head.event.id, head.next_attempt_at));
                continue;
            }
            let ready = events.iter().take_while(|e| e.next_attempt_at <= now).cloned().collect();
            self.begin(StreamKey { owner: head.event.id.owner, rule_id }, ready);
            begun = true;
        }
        if !held_back.is_empty() {
            let mut tx = self.db.begin(Instant::now() + self.settings.lease).await?;
            outbox::hold_back(&mut tx, held_back.iter().copied()).await?;
            tx.commit().await?;
            begun = true;
        }
        Ok(begun)
    }

    fn begin(&mut self, key: StreamKey, events: Vec<PendingEvent>) {
        let Some(state) = self.rules.get_mut(&key.rule_id) else { return };
        state.busy += 1;
        self.busy.insert(key);
        self.leases.begin(key.part());
        tokio::spawn(stream::run(self.means.clone(), Arc::clone(&state.rule), key, events));
    }

    /// Settles what streams report, and takes note of those that ended. True when one did.
    async fn take(&mut self, batch: &mut Vec<Report>) -> bool {
        let mut tried = Vec::new();
        let mut ended = Vec::new();
        for report in batch.drain(..) {
            match report {
                Report::Tried(t) => tried.push(t),
                Report::Ended(key) => ended.push(key),
            }
        }
        self.apply(&tried);
        self.settle(&tried).await;
        // Only now: an event must be settled before its stream is read again.
        for key in &ended {
            self.busy.remove(key);
            self.leases.end(key.part());
            if let Some(rule) = self.rules.get_mut(&key.rule_id) {
                rule.busy = rule.busy.saturating_sub(1);
            }
        }
        !ended.is_empty()
    }

    /// What the answers say about the rules.
    fn apply(&mut self, tried: &[Tried]) {
        for t in tried {
            let Some(rule) = self.rules.get_mut(&t.id.rule_id) else { continue };
            match t.effect {
                RuleEffect::Works => rule.slow_downs = 0,
                RuleEffect::Unchanged => {}
                RuleEffect::SlowDown { asked } => {
                    rule.slow_downs += 1;
                    let until = t.at + pause(asked, rule.slow_downs);
                    rule.paused_until = rule.paused_until.max(Some(until));
                }
                RuleEffect::SwitchOff => {
                    tracing::info!(rule_id = %t.id.rule_id, "callback rule switched off: 410");
                    // Read anew before anything more is sent.
                    self.rules_read = None;
                    rule.paused_until = Some(t.at + RULES_AGE * 2);
                }
            }
        }
    }

    /// Settles for as long as our leases hold; what can't be settled by then is tried again by
    /// whoever holds the parts next.
    async fn settle(&mut self, tried: &[Tried]) {
        if tried.is_empty() {
            return;
        }
        while let Err(error) = settle(&self.db, &self.clock, &self.leases, tried).await {
            if Instant::now() >= self.leases.valid_until() {
                tracing::warn!(%error, count = tried.len(), "callbacks stay unsettled and are sent again");
                return;
            }
            tracing::debug!(%error, "settling is tried again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn read_rules(&mut self) -> Result<(), Error> {
        if self.rules_read.is_some_and(|read| read.elapsed() < RULES_AGE) {
            return Ok(());
        }
        let mut db = self.db.read().await?;
        let enabled = callback_rules::enabled(&mut db).await;
        let enabled = db.done(enabled)?;
        let mut before = std::mem::take(&mut self.rules);
        for rule in enabled {
            let id = rule.0.id;
            let state = match before.remove(&id) {
                Some(old) => RuleState { rule: Arc::new(rule), ..old },
                None => RuleState {
                    busy: self.busy.iter().filter(|key| key.rule_id == id).count(),
                    rule: Arc::new(rule),
                    paused_until: None,
                    slow_downs: 0,
                },
            };
            self.rules.insert(id, state);
        }
        self.rules_read = Some(Instant::now());
        Ok(())
    }

    async fn measure(&mut self) {
        let Ok(mut db) = self.db.read().await else { return };
        let backlog = outbox::backlog(&mut db, BACKLOG_LIMIT).await;
        let Ok((count, oldest)) = db.done(backlog) else { return };
        let age = oldest.map_or(0.0, |due| (self.clock.now() - due).as_seconds_f64().max(0.0));
        #[expect(clippy::cast_precision_loss, reason = "at most 100,000")]
        metrics::gauge!("befriend_callback_backlog").set(count as f64);
        metrics::gauge!("befriend_callback_oldest_due_seconds").set(age);
        tracing::debug!(count, age, "callback backlog");
    }
}
