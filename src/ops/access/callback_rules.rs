//! Callback rules: create, read, change, delete, rotate. For operators only.

use serde_json::json;
use time::Duration;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    domain::{
        App, AppKey, Audited, CallbackRule, Error, Event, EventId, EventState, EventType, Facts,
        Invalid, OwnerKey, REPLACED, RuleChange, RuleChoice, SigningSecret, Username, facts,
        time_fact,
    },
    ops::{Core, OperatorCall, audits},
    store::{Tx, apps, callback_rules},
};

/// Creates a rule, enabled. `show` gets the rule with its secret before the change is committed; when it fails,
/// there is no rule.
///
/// # Errors
/// `AppNotFound`, `CallbackRuleLimitExceeded`, those of `show`.
pub async fn create(
    call: &OperatorCall,
    app_key: &AppKey,
    choice: RuleChoice,
    secret: Option<SigningSecret>,
    show: impl Fn(&CallbackRule) -> Result<(), Error>,
) -> Result<CallbackRule, Error> {
    let OperatorCall { core, author, deadline } = call;
    let secret = secret.unwrap_or_else(SigningSecret::generate);
    let limit = core.bounds.callback_rules;
    let created = core
        .db
        .retrying(|| async {
            let mut tx = core.db.begin(*deadline).await?;
            // The lock on the app's row makes two calls that create a rule at once count one after the
            // other.
            let app = apps::lock_by_key(&mut tx, app_key).await?;
            let app = app.ok_or_else(|| Error::AppNotFound(app_key.clone()))?;
            let count = callback_rules::count(&mut tx, app.id).await?;
            if usize::try_from(count).unwrap_or(usize::MAX) >= limit {
                return Err(Error::CallbackRuleLimitExceeded { app: app_key.clone(), limit });
            }
            let now = core.clock.now();
            let rule = CallbackRule {
                id: Uuid::new_v4(),
                app_id: app.id,
                url: choice.url.clone(),
                event_types: choice.event_types.clone(),
                body_format: choice.body_format,
                enabled: true,
                disabled_reason: String::new(),
                ca_certificates: choice.ca_certificates.clone(),
                secret: secret.clone(),
                old_secret: None,
                created_at: now,
                modified_at: now,
            };
            callback_rules::create(&mut tx, &rule).await?;
            show(&rule)?;
            let change = Audited::new("CallbackRuleService/CreateCallbackRule").in_app(&app);
            let change = change.of(rule.id).after(rule.facts());
            audits::commit(core, tx, author, change).await?;
            Ok(rule)
        })
        .await?;
    core.outbox_signals.rules_changed.notify_one();
    Ok(created)
}

/// An app's rules, the oldest first.
///
/// # Errors
/// `AppNotFound`.
pub async fn list(
    core: &Core,
    deadline: Instant,
    app_key: &AppKey,
) -> Result<Vec<CallbackRule>, Error> {
    core.db
        .retrying(|| async {
            let mut tx = core.db.begin(deadline).await?;
            let app = app_of(&mut tx, app_key).await?;
            callback_rules::of_app(&mut tx, app.id).await
        })
        .await
}

/// One rule.
///
/// # Errors
/// `AppNotFound`, `CallbackRuleNotFound`.
pub async fn get(
    core: &Core,
    deadline: Instant,
    app_key: &AppKey,
    rule_id: Uuid,
) -> Result<CallbackRule, Error> {
    core.db
        .retrying(|| async {
            let mut tx = core.db.begin(deadline).await?;
            let app = app_of(&mut tx, app_key).await?;
            found(callback_rules::get(&mut tx, app.id, rule_id).await?, rule_id)
        })
        .await
}

/// Changes a rule.
///
/// # Errors
/// `AppNotFound`, `CallbackRuleNotFound`.
pub async fn update(
    call: &OperatorCall,
    app_key: &AppKey,
    rule_id: Uuid,
    change: RuleChange,
) -> Result<CallbackRule, Error> {
    let action = "CallbackRuleService/UpdateCallbackRule";
    changing(call, action, app_key, rule_id, |rule| {
        let old = rule.url.clone();
        change.clone().apply(rule);
        // A query is not among the facts, because receivers use it for secrets.
        if old.uri().query() == rule.url.uri().query() {
            return Facts::new();
        }
        facts(json!({ "url_query": REPLACED }))
    })
    .await
}

/// Gives a rule a new secret. For `grace` events are signed with the old one too.
///
/// # Errors
/// `AppNotFound`, `CallbackRuleNotFound`, `Invalid` (grace).
pub async fn rotate_secret(
    call: &OperatorCall,
    app_key: &AppKey,
    rule_id: Uuid,
    secret: Option<SigningSecret>,
    grace: Duration,
) -> Result<CallbackRule, Error> {
    if grace.is_negative() || grace > SigningSecret::MAX_GRACE {
        return Err(Invalid::argument("grace", "must be between 0 and 30 days").into());
    }
    let secret = secret.unwrap_or_else(SigningSecret::generate);
    let until = call.core.clock.now() + grace;
    let action = "CallbackRuleService/RotateSigningSecret";
    changing(call, action, app_key, rule_id, |rule| {
        let old = std::mem::replace(&mut rule.secret, secret.clone());
        rule.old_secret = (!grace.is_zero()).then_some((old, until));
        let kept_until = rule.old_secret.as_ref().map(|(_, until)| time_fact(*until));
        facts(json!({ "signing_secret": REPLACED, "old_signing_secret_until": kept_until }))
    })
    .await
}

/// Changes a rule by `change`, which returns what the rule's own facts do not tell.
async fn changing(
    call: &OperatorCall,
    action: &'static str,
    app_key: &AppKey,
    rule_id: Uuid,
    change: impl Fn(&mut CallbackRule) -> Facts,
) -> Result<CallbackRule, Error> {
    let OperatorCall { core, author, deadline } = call;
    let changed = core
        .db
        .retrying(|| async {
            let mut tx = core.db.begin(*deadline).await?;
            let app = app_of(&mut tx, app_key).await?;
            let mut rule = found(callback_rules::lock(&mut tx, app.id, rule_id).await?, rule_id)?;
            let (old, mut more) = (rule.facts(), change(&mut rule));
            rule.modified_at = core.clock.now();
            callback_rules::update(&mut tx, &rule).await?;
            let mut new = rule.facts();
            new.append(&mut more);
            let change = Audited::new(action).in_app(&app).of(rule_id).before(old).after(new);
            audits::commit(core, tx, author, change).await?;
            Ok(rule)
        })
        .await?;
    core.outbox_signals.rules_changed.notify_one();
    Ok(changed)
}

/// Deletes a rule. No call finds its events from now on; their rows are removed in the background.
///
/// # Errors
/// `AppNotFound`, `CallbackRuleNotFound`.
pub async fn delete(call: &OperatorCall, app_key: &AppKey, rule_id: Uuid) -> Result<(), Error> {
    let OperatorCall { core, author, deadline } = call;
    core.db
        .retrying(|| async {
            let mut tx = core.db.begin(*deadline).await?;
            let app = app_of(&mut tx, app_key).await?;
            let rule = found(callback_rules::lock(&mut tx, app.id, rule_id).await?, rule_id)?;
            callback_rules::delete(&mut tx, app.id, rule_id).await?;
            let change = Audited::new("CallbackRuleService/DeleteCallbackRule").in_app(&app);
            audits::commit(core, tx, author, change.of(rule_id).before(rule.facts())).await
        })
        .await?;
    core.outbox_signals.rules_changed.notify_one();
    Ok(())
}

/// An event of type `callback.test`, which tries a rule out. No list has changed.
#[must_use]
pub fn test_event(core: &Core, rule: &CallbackRule) -> Event {
    let now = core.clock.now();
    let username = Username::from_store("befriend-test".to_owned());
    Event {
        id: EventId { owner: OwnerKey::of(rule.app_id, &username), version: 0, rule_id: rule.id },
        message_id: core.message_ids.next(now),
        event_type: Some(EventType::CallbackTest),
        owner: username.clone(),
        friend: username,
        detail: String::new(),
        created_at: now,
        attempts: 0,
        state: EventState::Pending { next_attempt_at: now },
    }
}

async fn app_of(tx: &mut Tx, app_key: &AppKey) -> Result<App, Error> {
    let app = apps::by_key(tx, app_key).await?;
    app.ok_or_else(|| Error::AppNotFound(app_key.clone()))
}

fn found(rule: Option<CallbackRule>, rule_id: Uuid) -> Result<CallbackRule, Error> {
    rule.ok_or_else(|| Error::CallbackRuleNotFound(rule_id.to_string()))
}
