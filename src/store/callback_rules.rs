//! `callback_rules`: the rules that send an app's events to receivers.

use sqlx::{FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::statements;
use crate::domain::{BodyFormat, CallbackRule, CallbackUrl, Error, EventType, SigningSecret};

statements! {
    CREATE = "\
-- callback_rules.create
insert into callback_rules (rule_id, app_id, url, event_types, body_format, enabled,
                            ca_certificates, secret, created_at, modified_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)";
    COUNT = "\
-- callback_rules.count
select count(*)
from callback_rules
where app_id = $1";
    OF_APP = "\
-- callback_rules.of_app
select rule_id, app_id, url, event_types, body_format, enabled, disabled_reason, ca_certificates,
       secret, old_secret, old_secret_until, created_at, modified_at
from callback_rules
where app_id = $1
order by created_at, rule_id";
    LOCK = "\
-- callback_rules.lock
select rule_id, app_id, url, event_types, body_format, enabled, disabled_reason, ca_certificates,
       secret, old_secret, old_secret_until, created_at, modified_at
from callback_rules
where rule_id = $1
  and app_id = $2
for no key update";
    GET = "\
-- callback_rules.get
select rule_id, app_id, url, event_types, body_format, enabled, disabled_reason, ca_certificates,
       secret, old_secret, old_secret_until, created_at, modified_at
from callback_rules
where rule_id = $1
  and app_id = $2";
    ENABLED = "\
-- callback_rules.enabled
select r.rule_id, r.app_id, r.url, r.event_types, r.body_format, r.enabled, r.disabled_reason,
       r.ca_certificates, r.secret, r.old_secret, r.old_secret_until, r.created_at, r.modified_at,
       r.paused_until, r.slow_downs, a.app_key
from callback_rules r
join apps a on a.app_id = r.app_id
where r.enabled
  and a.deleted_at is null";
    UPDATE = "\
-- callback_rules.update
update callback_rules
set url = $2,
    event_types = $3,
    body_format = $4,
    enabled = $5,
    disabled_reason = $6,
    ca_certificates = $7,
    secret = $8,
    old_secret = $9,
    old_secret_until = $10,
    modified_at = $11,
    paused_until = null,
    slow_downs = 0
where rule_id = $1";
    SET_PAUSE = "\
-- callback_rules.set_pause
update callback_rules
set paused_until = greatest(paused_until, $3),
    slow_downs = $4
where rule_id = $1
  and modified_at = $2";
    DELETE = "\
-- callback_rules.delete
delete from callback_rules
where rule_id = $1
  and app_id = $2";
    SWITCH_OFF = "\
-- callback_rules.switch_off
update callback_rules
set enabled = false,
    disabled_reason = $2,
    modified_at = $3
where rule_id = $1
  and enabled
  and modified_at = $4";
}

#[derive(FromRow)]
struct RuleRow {
    rule_id: Uuid,
    app_id: Uuid,
    url: String,
    event_types: Vec<String>,
    body_format: String,
    enabled: bool,
    disabled_reason: String,
    ca_certificates: String,
    secret: String,
    old_secret: Option<String>,
    old_secret_until: Option<OffsetDateTime>,
    created_at: OffsetDateTime,
    modified_at: OffsetDateTime,
}

#[derive(FromRow)]
struct EnabledRow {
    #[sqlx(flatten)]
    rule: RuleRow,
    app_key: String,
    paused_until: Option<OffsetDateTime>,
    slow_downs: i32,
}

impl TryFrom<RuleRow> for CallbackRule {
    type Error = Error;

    /// Fails for a row that another program wrote: the service stores parsed values only.
    fn try_from(row: RuleRow) -> Result<Self, Error> {
        let broken = |_| Error::Internal(format!("callback rule {} can't be read", row.rule_id));
        let old = row.old_secret.as_deref().zip(row.old_secret_until);
        let old_secret = match old {
            None => None,
            Some((secret, until)) => {
                Some((SigningSecret::parse("old_secret", secret).map_err(broken)?, until))
            }
        };
        Ok(Self {
            id: row.rule_id,
            app_id: row.app_id,
            url: CallbackUrl::parse("url", &row.url).map_err(broken)?,
            event_types: row.event_types.iter().filter_map(|t| EventType::from_store(t)).collect(),
            body_format: BodyFormat::from_store(&row.body_format),
            enabled: row.enabled,
            disabled_reason: row.disabled_reason,
            ca_certificates: row.ca_certificates,
            secret: SigningSecret::parse("secret", &row.secret).map_err(broken)?,
            old_secret,
            created_at: row.created_at,
            modified_at: row.modified_at,
        })
    }
}

/// Creates a rule.
pub(crate) async fn create(db: &mut PgConnection, rule: &CallbackRule) -> Result<(), Error> {
    query(CREATE)
        .bind(rule.id)
        .bind(rule.app_id)
        .bind(rule.url.to_string())
        .bind(type_names(&rule.event_types))
        .bind(rule.body_format.as_str())
        .bind(rule.enabled)
        .bind(&rule.ca_certificates)
        .bind(rule.secret.reveal())
        .bind(rule.created_at)
        .execute(db)
        .await?;
    Ok(())
}

/// How many rules an app has.
pub(crate) async fn count(db: &mut PgConnection, app_id: Uuid) -> Result<i64, Error> {
    Ok(query_scalar(COUNT).bind(app_id).fetch_one(db).await?)
}

/// An app's rules, the oldest first.
pub(crate) async fn of_app(
    db: &mut PgConnection,
    app_id: Uuid,
) -> Result<Vec<CallbackRule>, Error> {
    let rows: Vec<RuleRow> = query_as(OF_APP).bind(app_id).fetch_all(db).await?;
    rows.into_iter().map(CallbackRule::try_from).collect()
}

/// A rule of an app, locked until the transaction ends.
pub(crate) async fn lock(
    db: &mut PgConnection,
    app_id: Uuid,
    rule_id: Uuid,
) -> Result<Option<CallbackRule>, Error> {
    one(db, LOCK, app_id, rule_id).await
}

/// A rule of an app.
pub(crate) async fn get(
    db: &mut PgConnection,
    app_id: Uuid,
    rule_id: Uuid,
) -> Result<Option<CallbackRule>, Error> {
    one(db, GET, app_id, rule_id).await
}

async fn one(
    db: &mut PgConnection,
    statement: &'static str,
    app_id: Uuid,
    rule_id: Uuid,
) -> Result<Option<CallbackRule>, Error> {
    let row: Option<RuleRow> =
        query_as(statement).bind(rule_id).bind(app_id).fetch_optional(db).await?;
    row.map(CallbackRule::try_from).transpose()
}

/// A rule that is on, and the key of its app.
#[derive(Debug)]
pub(crate) struct EnabledRule {
    pub(crate) rule: CallbackRule,
    pub(crate) app_key: String,
    pub(crate) pause: Pause,
}

/// How a receiver keeps up, as the instances tell each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pause {
    /// Nothing is sent before.
    pub(crate) until: Option<OffsetDateTime>,
    /// How many times in a row the receiver could not keep up.
    pub(crate) slow_downs: u32,
}

/// All rules that are on; and how many rows can't be read: such a row does not hold up the other rules.
pub(crate) async fn enabled(db: &mut PgConnection) -> Result<(Vec<EnabledRule>, usize), Error> {
    let rows: Vec<EnabledRow> = query_as(ENABLED).fetch_all(db).await?;
    let count = rows.len();
    let rules: Vec<EnabledRule> = rows
        .into_iter()
        .filter_map(|row| {
            let slow_downs = u32::try_from(row.slow_downs).unwrap_or_default();
            Some(EnabledRule {
                rule: row.rule.try_into().ok()?,
                app_key: row.app_key,
                pause: Pause { until: row.paused_until, slow_downs },
            })
        })
        .collect();
    let unreadable = count - rules.len();
    Ok((rules, unreadable))
}

/// Writes a locked rule back, and ends its pause: it may name another receiver now.
pub(crate) async fn update(db: &mut PgConnection, rule: &CallbackRule) -> Result<(), Error> {
    query(UPDATE)
        .bind(rule.id)
        .bind(rule.url.to_string())
        .bind(type_names(&rule.event_types))
        .bind(rule.body_format.as_str())
        .bind(rule.enabled)
        .bind(&rule.disabled_reason)
        .bind(&rule.ca_certificates)
        .bind(rule.secret.reveal())
        .bind(rule.old_secret.as_ref().map(|(secret, _)| secret.reveal()))
        .bind(rule.old_secret.as_ref().map(|(_, until)| *until))
        .bind(rule.modified_at)
        .execute(db)
        .await?;
    Ok(())
}

/// Pauses a rule; never for a shorter time than before. Leaves a rule that was changed after `modified_at`
/// alone.
pub(crate) async fn set_pause(
    db: &mut PgConnection,
    (rule_id, modified_at): (Uuid, OffsetDateTime),
    pause: Pause,
) -> Result<(), Error> {
    let slow_downs = i32::try_from(pause.slow_downs).unwrap_or(i32::MAX);
    query(SET_PAUSE)
        .bind(rule_id)
        .bind(modified_at)
        .bind(pause.until)
        .bind(slow_downs)
        .execute(db)
        .await?;
    Ok(())
}

/// Deletes a rule of an app.
pub(crate) async fn delete(
    db: &mut PgConnection,
    app_id: Uuid,
    rule_id: Uuid,
) -> Result<(), Error> {
    query(DELETE).bind(rule_id).bind(app_id).execute(db).await?;
    Ok(())
}

/// Switches a rule off because its receiver wants no more events. Leaves a rule that was changed after
/// `modified_at` alone: it may name another receiver now.
pub(crate) async fn switch_off(
    db: &mut PgConnection,
    (rule_id, modified_at): (Uuid, OffsetDateTime),
    reason: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    query(SWITCH_OFF).bind(rule_id).bind(reason).bind(now).bind(modified_at).execute(db).await?;
    Ok(())
}

fn type_names(types: &[EventType]) -> Vec<&'static str> {
    types.iter().map(|t| t.as_str()).collect()
}
