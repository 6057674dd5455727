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
    leases::{Held, Leases},
    schedule::{RuleEffect, Schedule, pause},
    settle::settle,
    stream::{self, Means, Report, StreamKey, Tried, Work},
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

/// How many events of a stream are held back at once behind their head.
const HELD_BACK: i64 = 1000;

/// What a relay is told of by others in its process.
#[derive(Clone, Debug)]
pub struct News {
    /// There are new events.
    pub events: Arc<Notify>,
    /// Rules were made or changed.
    pub rules: Arc<Notify>,
}

/// Delivers events until it is stopped.
pub struct Relay {
    db: Db,
    clock: Clock,
    news: News,
    settings: RelaySettings,
    means: Means,
    reports: mpsc::Receiver<Report>,
    held: watch::Sender<Held>,
    leases: Leases,
    rules: HashMap<Uuid, RuleState>,
    rules_read: Option<Instant>,
    /// How many rules could not be read.
    broken_rules: usize,
    busy: HashSet<StreamKey>,
}

/// A rule that is on, and what is under way for it.
struct RuleState {
    rule: Arc<(CallbackRule, String)>,
    busy: usize,
    paused_until: Option<OffsetDateTime>,
    slow_downs: u32,
    /// Ends the streams under way after the try that each is at.
    halt: CancellationToken,
}

impl RuleState {
    fn new(rule: (CallbackRule, String), busy: usize) -> Self {
        Self {
            rule: Arc::new(rule),
            busy,
            paused_until: None,
            slow_downs: 0,
            halt: CancellationToken::new(),
        }
    }

    /// Sends nothing before `until`.
    fn pause(&mut self, until: OffsetDateTime) {
        self.paused_until = self.paused_until.max(Some(until));
        std::mem::take(&mut self.halt).cancel();
    }

    /// The receiver can't keep up. Those who were told so by the same wave of requests, which was
    /// under way when the pause began, count as one.
    fn slow_down(&mut self, at: OffsetDateTime, asked: Option<Duration>) {
        if self.paused_until.is_none_or(|until| until <= at) {
            self.slow_downs += 1;
        }
        self.pause(at + pause(asked, self.slow_downs));
    }
}

impl Relay {
    /// A relay on `db`, told of new events by `news`.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        news: News,
        postman: Arc<Postman>,
        settings: RelaySettings,
    ) -> Self {
        let (sender, reports) = mpsc::channel(2 * BATCH);
        let leases = Leases::new(settings.lease);
        let (held, watched) = watch::channel(leases.held());
        let means = Means {
            postman,
            clock: clock.clone(),
            schedule: Arc::new(settings.schedule.clone()),
            reports: sender,
            held: watched,
            stop: CancellationToken::new(),
        };
        Self {
            db,
            clock,
            news,
            settings,
            means,
            reports,
            held,
            leases,
            rules: HashMap::new(),
            rules_read: None,
            broken_rules: 0,
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
        let News { events, rules } = self.news.clone();
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
                () = rules.notified() => {
                    self.rules_read = None;
                    self.dispatch().await;
                }
                () = events.notified() => self.dispatch().await,
                _ = poll.tick() => self.dispatch().await,
                _ = backlog.tick() => self.measure().await,
            }
        }
        self.wind_up(batch).await;
    }

    /// Gives back at once what is idle, and the rest as its tries end. Until then our leases are kept,
    /// so that nobody repeats a try that we are about to settle.
    async fn wind_up(mut self, mut batch: Vec<Report>) {
        self.means.stop.cancel();
        self.leases.retire();
        self.renew().await;
        let mut renewal = interval(self.leases.renewal());
        while !self.busy.is_empty() {
            tokio::select! {
                _ = renewal.tick() => self.renew().await,
                _ = self.reports.recv_many(&mut batch, BATCH) => {
                    if self.take(&mut batch).await
                        && let Err(error) = self.leases.give_back(&self.db).await
                    {
                        tracing::warn!(%error, "parts of the outbox are given back later");
                    }
                }
            }
        }
        if self.leases.hold_any() {
            self.renew().await;
        }
    }

    async fn renew(&mut self) {
        if let Err(error) = self.leases.renew(&self.db).await {
            tracing::warn!(%error, "the leases of the outbox could not be renewed");
        }
        self.held.send_replace(self.leases.held());
    }

    /// Begins as many streams as there is room for.
    async fn dispatch(&mut self) {
        if let Err(error) = self.try_dispatch().await {
            tracing::warn!(%error, "the outbox could not be read");
        }
    }

    async fn try_dispatch(&mut self) -> Result<(), Error> {
        self.read_rules().await?;
        let parts = self.leases.open();
        if parts.is_empty() || self.busy.len() >= self.settings.in_all {
            return Ok(());
        }
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
        let active = self.db.read_once(async |db| outbox::active(db, &ready, now).await);
        let mut active = active.await?;
        // Those who have least go first: when room is short, nobody is left out for ever.
        active.sort_by_key(|id| self.rules.get(id).map_or(0, |rule| rule.busy));
        // The next look goes on where this one stops, which leaves time for all else.
        let enough = Instant::now() + self.leases.renewal() / 2;
        for rule_id in active {
            // Until a look finds no stream that is not under way: see `outbox::due`.
            while Instant::now() < enough && self.begin_some(rule_id, &parts, now).await? {}
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
        let due = self.db.read_once(async |db| {
            outbox::due(db, rule_id, parts, &busy, (streams, DEPTH), now).await
        });
        let due = due.await?;
        let mut held_back: Vec<(EventId, OffsetDateTime)> = Vec::new();
        let mut begun = false;
        for events in due.chunk_by(|a, b| a.event.id.owner == b.event.id.owner) {
            let head = &events[0];
            if head.next_attempt_at > now {
                held_back.push((head.event.id, head.next_attempt_at));
                continue;
            }
            let ready = events.iter().take_while(|e| e.next_attempt_at <= now).cloned().collect();
            begun |= self.begin(StreamKey { owner: head.event.id.owner, rule_id }, ready);
        }
        if !held_back.is_empty() {
            let mut tx = self.db.begin(Instant::now() + self.leases.renewal()).await?;
            outbox::hold_back(&mut tx, held_back.iter().copied(), HELD_BACK).await?;
            tx.commit().await?;
            begun = true;
        }
        Ok(begun)
    }

    fn begin(&mut self, key: StreamKey, events: Vec<PendingEvent>) -> bool {
        let Some(state) = self.rules.get_mut(&key.rule_id) else { return false };
        let Some(token) = self.leases.begin(key.part()) else { return false };
        state.busy += 1;
        self.busy.insert(key);
        let (rule, halt) = (Arc::clone(&state.rule), state.halt.clone());
        let work = Work { key, token, rule, halt, events };
        tokio::spawn(stream::run(self.means.clone(), work));
        true
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
                RuleEffect::SlowDown { asked } => rule.slow_down(t.at, asked),
                RuleEffect::SwitchOff => {
                    tracing::info!(rule_id = %t.id.rule_id, "callback rule switched off: 410");
                    // Read anew before anything more is sent.
                    self.rules_read = None;
                    rule.pause(t.at + RULES_AGE * 2);
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
            if self.leases.have_ended() {
                tracing::warn!(%error, count = tried.len(), "callbacks stay unsettled and are sent again");
                return;
            }
            tracing::debug!(%error, "settling is tried again");
            tokio::time::sleep(Duration::from_millis(100)).await;
            if self.leases.are_due() {
                self.renew().await;
            }
        }
    }

    async fn read_rules(&mut self) -> Result<(), Error> {
        if self.rules_read.is_some_and(|read| read.elapsed() < RULES_AGE) {
            return Ok(());
        }
        let enabled = self.db.read_once(async |db| callback_rules::enabled(db).await);
        let (enabled, broken) = enabled.await?;
        if broken != self.broken_rules {
            tracing::error!(broken, "callback rules that can't be read are left out");
            self.broken_rules = broken;
        }
        let mut before = std::mem::take(&mut self.rules);
        for rule in enabled {
            let id = rule.0.id;
            let state = match before.remove(&id) {
                Some(old) if old.rule.0.modified_at == rule.0.modified_at => old,
                // A changed rule may name another receiver: what the old one said counts no more.
                other => {
                    before.extend(other.map(|old| (id, old)));
                    let busy = self.busy.iter().filter(|key| key.rule_id == id).count();
                    RuleState::new(rule, busy)
                }
            };
            self.rules.insert(id, state);
        }
        for (_, changed_or_gone) in before {
            changed_or_gone.halt.cancel();
        }
        self.rules_read = Some(Instant::now());
        Ok(())
    }

    async fn measure(&mut self) {
        let backlog = self.db.read_once(async |db| outbox::backlog(db, BACKLOG_LIMIT).await);
        let Ok((count, oldest)) = backlog.await else { return };
        let age = oldest.map_or(0.0, |due| (self.clock.now() - due).as_seconds_f64().max(0.0));
        #[expect(clippy::cast_precision_loss, reason = "at most 100,000")]
        metrics::gauge!("befriend_callback_backlog").set(count as f64);
        metrics::gauge!("befriend_callback_oldest_due_seconds").set(age);
        tracing::debug!(count, age, "callback backlog");
    }
}
