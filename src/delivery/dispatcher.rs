//! The dispatcher: one loop in each instance that delivers the events of the outbox. From the top down:
//!
//! - [`Dispatcher::run`] renews the leases, and reacts to signals, to reports and to the passing of time.
//! - `start_streams` finds due events of open partitions and starts a stream for each owner and rule.
//! - `stream::run`, in a task of its own, posts the events of a stream and reports each attempt.
//! - `handle_reports` settles the attempts in one transaction; then their streams may start again.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    partition_leases::{HeldPartitions, PartitionLeases},
    rules::Rules,
    running_streams::RunningStreams,
    schedule::{RuleEffect, Schedule},
    settle::settle,
    state::DeliveryState,
    stream::{self, AttemptedEvent, Report, Stream, StreamContext, StreamKey},
    webhook::WebhookClient,
};
use crate::{
    background_work::{BackgroundWork, Work},
    clock::Clock,
    domain::{Error, EventId},
    outbox_signals::OutboxSignals,
    store::{Db, outbox_dispatch, stored_event::StoredEvent},
};

/// How a dispatcher works.
#[derive(Clone, Debug)]
pub struct DispatcherSettings {
    /// When failed attempts are repeated.
    pub schedule: Schedule,
    /// How many streams of one rule may run at once.
    pub streams_per_rule: usize,
    /// How many streams may run at once in all.
    pub max_streams: usize,
    /// How long a lease lasts without a renewal. Then another instance may take the partition over.
    pub lease: Duration,
    /// How often the outbox is read without a signal.
    pub poll: Duration,
}

/// How many events of a stream are read at once.
const EVENTS_PER_STREAM: i64 = 50;

/// The largest number of attempts that one transaction settles.
const MAX_BATCH: usize = 500;

/// How many events of a stream are held back at once behind the first one. A stream can have a hundred
/// thousand, and each statement reads past those that are held back already: so not too few.
const HELD_BACK: i64 = 5000;

/// How often the backlog is counted, and up to how many events.
const BACKLOG_INTERVAL: Duration = Duration::from_secs(15);
const BACKLOG_LIMIT: i64 = 100_000;

/// How long to wait before settling again after the database failed.
const SETTLE_RETRY: Duration = Duration::from_millis(100);

/// Delivers events until it is stopped.
#[derive(Debug)]
pub struct Dispatcher {
    db: Db,
    clock: Clock,
    signals: Arc<OutboxSignals>,
    work: Arc<BackgroundWork>,
    state: Arc<DeliveryState>,
    settings: DispatcherSettings,
    leases: PartitionLeases,
    rules: Rules,
    running: RunningStreams,
    reports: mpsc::Receiver<Report>,
    /// Tells the streams which partitions are held.
    held: watch::Sender<HeldPartitions>,
    context: StreamContext,
}

impl Dispatcher {
    /// A dispatcher of the outbox in `db`, woken by `signals`, which tells `work` how its rounds end, and `state`
    /// what it does.
    #[must_use]
    pub fn new(
        db: Db,
        clock: Clock,
        signals: Arc<OutboxSignals>,
        work: Arc<BackgroundWork>,
        webhook_client: Arc<WebhookClient>,
        state: Arc<DeliveryState>,
        settings: DispatcherSettings,
    ) -> Self {
        let (sender, reports) = mpsc::channel(2 * MAX_BATCH);
        let leases = PartitionLeases::new(settings.lease, webhook_client.allows_private());
        let running = RunningStreams::new(settings.max_streams, settings.streams_per_rule);
        let (held, held_receiver) = watch::channel(leases.held());
        let context = StreamContext {
            webhook_client,
            clock: clock.clone(),
            schedule: Arc::new(settings.schedule.clone()),
            reports: sender,
            held: held_receiver,
            stop: CancellationToken::new(),
        };
        Self {
            db,
            clock,
            signals,
            work,
            state,
            settings,
            leases,
            rules: Rules::default(),
            running,
            reports,
            held,
            context,
        }
    }

    /// Works until `stop`. Then it lets the running attempts end, settles them and releases its
    /// partitions.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut poll = every(self.settings.poll);
        let mut renewal = every(self.leases.renewal());
        let mut backlog = every(BACKLOG_INTERVAL);
        let signals = Arc::clone(&self.signals);
        let mut batch = Vec::new();
        loop {
            let may_start = tokio::select! {
                () = stop.cancelled() => break,
                _ = renewal.tick() => {
                    self.renew_leases().await;
                    false
                }
                _ = self.reports.recv_many(&mut batch, MAX_BATCH) => {
                    self.handle_reports(&mut batch).await
                }
                () = signals.rules_changed.notified() => {
                    self.rules.expire();
                    true
                }
                () = signals.events_added.notified() => true,
                _ = poll.tick() => true,
                _ = backlog.tick() => {
                    self.measure_backlog().await;
                    false
                }
            };
            if may_start {
                let db = self.db.clone();
                let started = db.guard(self.start_streams()).await;
                self.work.ended(Work::DueEvents, &started);
            }
        }
        self.shut_down(batch).await;
    }

    /// Releases idle partitions at once, and the others when their streams end. Renews the leases until
    /// then, so that no other instance repeats an attempt that is about to be settled.
    async fn shut_down(mut self, mut batch: Vec<Report>) {
        self.context.stop.cancel();
        self.leases.retire();
        self.renew_leases().await;
        let mut renewal = every(self.leases.renewal());
        while self.running.count() > 0 {
            tokio::select! {
                _ = renewal.tick() => self.renew_leases().await,
                _ = self.reports.recv_many(&mut batch, MAX_BATCH) => {
                    if self.handle_reports(&mut batch).await
                        && let Err(error) = self.leases.release_surplus(&self.db).await
                    {
                        tracing::warn!(%error, "partitions of the outbox are released later");
                    }
                }
            }
        }
        if self.leases.hold_any() {
            self.renew_leases().await;
        }
    }

    async fn renew_leases(&mut self) {
        let renewed = self.db.guard(self.leases.renew(&self.db)).await;
        self.work.ended(Work::Leases, &renewed);
        self.held.send_replace(self.leases.held());
        self.state.holds(self.leases.dispatcher_id(), self.leases.count());
    }

    /// Starts streams for due events, as many as the settings allow.
    async fn start_streams(&mut self) -> Result<(), Error> {
        self.rules.refresh(&self.db).await?;
        self.state.keep(|rule_id| self.rules.get(rule_id).is_some());
        let partitions = self.leases.open();
        if partitions.is_empty() || self.running.count() >= self.settings.max_streams {
            return Ok(());
        }
        let now = self.clock.now();
        let ready: Vec<Uuid> =
            self.rules.ready(now).filter(|rule_id| self.room_for(*rule_id) > 0).collect();
        if ready.is_empty() {
            return Ok(());
        }
        let due = self.db.read_once(async |db| outbox_dispatch::due_rules(db, &ready, now).await);
        let mut due = due.await?;
        // Rules with few running streams come first. So no rule starves when there is little room.
        due.sort_by_key(|rule_id| self.running.count_of(*rule_id));
        // The next call goes on where this one stops. That leaves time to renew the leases.
        let end = Instant::now() + self.leases.renewal() / 2;
        for rule_id in due {
            // One read may find events of few owners only: see `outbox_dispatch::due_streams`.
            while Instant::now() < end && self.start_streams_of(rule_id, &partitions, now).await? {}
        }
        Ok(())
    }

    /// Starts streams of one rule by one read. False when there is no room or the read found nothing
    /// to do.
    async fn start_streams_of(
        &mut self,
        rule_id: Uuid,
        partitions: &[i16],
        now: OffsetDateTime,
    ) -> Result<bool, Error> {
        let room = self.room_for(rule_id);
        if room == 0 {
            return Ok(false);
        }
        let running = self.running.owners_of(rule_id);
        let limits = (i64::try_from(room).unwrap_or(i64::MAX), EVENTS_PER_STREAM);
        let due = self.db.read_once(async |db| {
            outbox_dispatch::due_streams(db, rule_id, partitions, &running, limits, now).await
        });
        let due = due.await?;
        let mut held_back: Vec<(EventId, OffsetDateTime)> = Vec::new();
        let mut found = false;
        for events in due.chunk_by(|a, b| a.event.id.owner == b.event.id.owner) {
            let first = &events[0];
            if first.event.state.at() > now {
                held_back.push((first.event.id, first.event.state.at()));
                continue;
            }
            let owner = first.event.id.owner;
            let ready = events.iter().take_while(|e| e.event.state.at() <= now).cloned().collect();
            found |= self.start_stream(StreamKey { rule_id, owner }, ready);
        }
        if !held_back.is_empty() {
            let mut tx = self.db.begin(Instant::now() + self.leases.renewal()).await?;
            outbox_dispatch::hold_back(&mut tx, &held_back, HELD_BACK).await?;
            tx.commit().await?;
            found = true;
        }
        Ok(found)
    }

    /// How many streams of a rule may still be started.
    fn room_for(&self, rule_id: Uuid) -> usize {
        let app_id = self.rules.get(rule_id).map(|(enabled, _)| enabled.rule.app_id);
        app_id.map_or(0, |app_id| self.running.room(rule_id, app_id))
    }

    /// Starts a stream in a task of its own. False when the rule or the partition's lease is gone.
    fn start_stream(&mut self, key: StreamKey, events: Vec<StoredEvent>) -> bool {
        let Some((rule, halt)) = self.rules.get(key.rule_id) else { return false };
        let Some(fencing_token) = self.leases.start_stream(key.partition()) else { return false };
        self.running.insert(key, rule.rule.app_id);
        self.state.runs(self.running.count());
        let stream = Stream { key, fencing_token, rule, halt, events };
        tokio::spawn(stream::run(self.context.clone(), stream));
        true
    }

    /// Settles the attempts that streams report, and forgets the streams that ended. True when one did.
    async fn handle_reports(&mut self, batch: &mut Vec<Report>) -> bool {
        let mut attempted = Vec::new();
        let mut ended = Vec::new();
        for report in batch.drain(..) {
            match report {
                Report::Attempted(event) => attempted.push(*event),
                Report::Ended(key) => ended.push(key),
            }
        }
        for a in &attempted {
            let rule_id = a.stored.event.id.rule_id;
            self.rules.apply(rule_id, a.rule_effect, a.ended_at);
            match self.rules.get(rule_id) {
                Some((rule, _)) if a.rule_effect != RuleEffect::Works => {
                    self.state.failed(rule_id, || rule.app_key.to_string());
                }
                _ => self.state.succeeded(rule_id),
            }
        }
        self.settle(&attempted).await;
        // After settling: a stream that started before would read the same events again.
        for key in &ended {
            self.running.remove(*key);
            self.leases.end_stream(key.partition());
        }
        self.state.runs(self.running.count());
        !ended.is_empty()
    }

    /// Settles for as long as the leases last. What is not settled by then is sent again by the next
    /// holders of the partitions.
    async fn settle(&mut self, attempted: &[AttemptedEvent]) {
        if attempted.is_empty() {
            return;
        }
        loop {
            let work = settle(&self.db, &self.clock, &self.leases, attempted, &self.rules);
            let settled = self.db.guard(work).await;
            self.work.ended(Work::Settling, &settled);
            let Err(error) = settled else { break };
            if self.leases.have_ended() {
                tracing::warn!(%error, count = attempted.len(), "callbacks stay unsettled and are sent again");
                return;
            }
            tracing::debug!(%error, "settling failed and is repeated");
            tokio::time::sleep(SETTLE_RETRY).await;
            if self.leases.are_due() {
                self.renew_leases().await;
            }
        }
        self.rules.pauses_are_saved();
    }

    async fn measure_backlog(&mut self) {
        let backlog =
            self.db.read_once(async |db| outbox_dispatch::backlog(db, BACKLOG_LIMIT).await);
        let Ok((count, oldest)) = backlog.await else { return };
        let age = oldest.map_or(0.0, |due| (self.clock.now() - due).as_seconds_f64().max(0.0));
        #[expect(clippy::cast_precision_loss, reason = "at most 100,000")]
        metrics::gauge!("befriend_callback_backlog").set(count as f64);
        metrics::gauge!("befriend_callback_oldest_due_seconds").set(age);
        tracing::debug!(count, age, "callback backlog");
    }
}

/// Ticks at once and then every `period`.
fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
