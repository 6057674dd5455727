//! Audit: records who changed what, in the transaction of the change, and lists the records.

use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use super::core::{Context, Core};
use crate::{
    domain::{
        AuditEvent, AuditFilter, AuditPosition, Audited, Author, Error, Facts, Page, PageSize,
        for_log,
    },
    store::{Tx, audit_events},
};

/// The actions of an import at the console, which no method of a service makes.
pub const BEGIN_IMPORT: &str = "Console/BeginImport";
/// The end of such an import.
pub const END_IMPORT: &str = "Console/EndImport";

/// How long the record of an import's step may take.
const RECORDING: Duration = Duration::from_secs(60);

/// A change whose record is in its transaction. Once that is committed, the change goes into the log.
#[must_use = "a change that was committed is logged"]
pub(super) struct Recorded<'a> {
    id: Uuid,
    author: &'a Author,
    change: Audited,
}

/// Records a change in its transaction.
///
/// # Errors
/// Those of the database.
pub(super) async fn record<'a>(
    core: &Core,
    tx: &mut Tx,
    author: &'a Author,
    change: Audited,
) -> Result<Recorded<'a>, Error> {
    let change = change.only_differences();
    let text = |facts: &Facts| serde_json::Value::Object(facts.clone()).to_string();
    let event = AuditEvent {
        id: Uuid::new_v4(),
        created_at: core.clock.now(),
        author: author.clone(),
        action: change.action.to_owned(),
        app: change.app.clone(),
        target: change.target.clone(),
        before: text(&change.before),
        after: text(&change.after),
    };
    audit_events::record(tx, &event).await?;
    Ok(Recorded { id: event.id, author, change })
}

impl Recorded<'_> {
    /// Writes the log line of a change that was committed.
    pub(super) fn log(&self) {
        let Self { id, author, change } = self;
        tracing::info!(
            audit_event = %id,
            actor = %author.for_log(),
            origin = author.origin,
            action = change.action,
            app = change.app.as_ref().map(|(_, key)| key.as_str()),
            audit_target = change.target_for_log(),
            before = for_log(&change.before),
            after = for_log(&change.after),
            "audit",
        );
    }
}

/// Commits a change together with its record, and logs it.
///
/// # Errors
/// Those of the database.
pub(super) async fn commit(
    core: &Core,
    mut tx: Tx,
    author: &Author,
    change: Audited,
) -> Result<(), Error> {
    let recorded = record(core, &mut tx, author, change).await?;
    tx.commit().await?;
    recorded.log();
    Ok(())
}

/// Records a change of lists or profiles in its transaction, if `author` makes it: `None` stands for the app
/// itself, whose changes are too many to record.
///
/// # Errors
/// Those of the database.
pub(super) async fn record_unless_app<'a>(
    core: &Core,
    tx: &mut Tx,
    author: Option<&'a Author>,
    change: impl FnOnce() -> Audited,
) -> Result<Option<Recorded<'a>>, Error> {
    match author {
        Some(author) => record(core, tx, author, change()).await.map(Some),
        None => Ok(None),
    }
}

/// Writes the log lines of changes that were committed.
pub(super) fn log<'a>(recorded: impl IntoIterator<Item = Recorded<'a>>) {
    recorded.into_iter().for_each(|change| change.log());
}

/// Records a step of an import, which has no transaction of its own: its beginning before anything is
/// written, with what was asked for, and its end with what was done. An import that breaks off has no end.
///
/// # Errors
/// Those of the database.
pub async fn record_import(
    context: &Context,
    author: &Author,
    action: &'static str,
    facts: Facts,
) -> Result<(), Error> {
    let core = &context.core;
    let change = Audited::new(action).in_app(&context.app).after(facts);
    // The call's own deadline is past when a long import ends.
    let deadline = Instant::now() + RECORDING;
    let record = || async {
        let tx = core.db.begin(deadline).await?;
        commit(core, tx, author, change.clone()).await
    };
    core.db.retrying(record).await
}

/// A page of the records that match a filter, the newest first, older than `before`.
///
/// # Errors
/// Only those of every call.
pub async fn list(
    core: &Core,
    deadline: Instant,
    filter: &AuditFilter,
    before: &AuditPosition,
    size: PageSize,
) -> Result<Page<AuditEvent, AuditPosition>, Error> {
    let rows = core.db.retrying(|| async {
        let mut tx = core.db.begin(deadline).await?;
        audit_events::page(&mut tx, filter, before, size).await
    });
    Ok(Page::cut(rows.await?, size, |event| AuditPosition {
        created_at: event.created_at,
        id: event.id,
    }))
}
