//! Apps: create, read, change, delete. For operators only.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use uuid::Uuid;

use crate::{
    domain::{
        App, AppKey, AppLimits, AppLimitsChange, Audited, Credentials, CredentialsChange, Error,
        Invalid, NetEaseChange, Page, PageSize, REPLACED, Secret, SecretKind, facts,
    },
    ops::{Core, OperatorCall, audits},
    store::{apps, tokens},
};

/// Creates an app with the default limits, changed by `limits`. Returns the app with its client_secret,
/// of which only the hash is stored. `show` gets both before the app is there for good: when it fails, no app
/// is created.
///
/// # Errors
/// `AppAlreadyExists`, `Invalid` (limits); that of `show`.
pub async fn create(
    call: &OperatorCall,
    key: &AppKey,
    limits: AppLimitsChange,
    show: impl Fn(&App, &Secret) -> Result<(), Error>,
) -> Result<(App, Secret), Error> {
    let OperatorCall { core, author, deadline } = call;
    let limits = limits.apply(AppLimits::default())?;
    let secret = Secret::generate(SecretKind::ClientSecret);
    let app = core
        .db
        .retrying(|| async {
            let mut tx = core.db.begin(*deadline).await?;
            let now = core.clock.now();
            let app = App {
                id: Uuid::new_v4(),
                key: key.clone(),
                client_id: new_client_id(),
                netease_app_key: None,
                limits,
                created_at: now,
                modified_at: now,
            };
            let created = apps::create(&mut tx, &app, secret.hash()).await?;
            let created = created.ok_or_else(|| Error::AppAlreadyExists(key.clone()))?;
            show(&created, &secret)?;
            let change =
                Audited::new("AppService/CreateApp").in_app(&created).after(created.facts());
            audits::commit(core, tx, author, change).await?;
            Ok(created)
        })
        .await?;
    Ok((app, secret))
}

/// A random client_id.
fn new_client_id() -> String {
    format!("bfc_{}", BASE64_URL_SAFE_NO_PAD.encode(Uuid::new_v4().as_bytes()))
}

/// An app.
///
/// # Errors
/// `AppNotFound`.
pub async fn get(core: &Core, key: &AppKey) -> Result<App, Error> {
    found(core.db.read(async |db| apps::by_key(db, key).await).await?, key)
}

/// A page of all apps in key order, after the key `after`.
///
/// # Errors
/// Only those of every call.
pub async fn list(core: &Core, after: &str, size: PageSize) -> Result<Page<App, String>, Error> {
    let rows = core.db.read(async |db| apps::page(db, after, size.rows_to_read()).await).await?;
    Ok(Page::cut(rows, size, |app| app.key.as_str().to_owned()))
}

/// Changes an app's limits. This instance applies them at once, other instances when their cached
/// callers are as old as `--token-cache`.
///
/// # Errors
/// `AppNotFound`, `Invalid` (limits).
pub async fn update(
    call: &OperatorCall,
    key: &AppKey,
    change: AppLimitsChange,
) -> Result<App, Error> {
    let OperatorCall { core, author, deadline } = call;
    let app = core
        .db
        .retrying(|| async {
            let mut tx = core.db.begin(*deadline).await?;
            let old = found(apps::lock_by_key(&mut tx, key).await?, key)?;
            let limits = change.apply(old.limits)?;
            let app = apps::set_limits(&mut tx, old.id, limits, core.clock.now()).await?;
            let change = Audited::new("AppService/UpdateApp").in_app(&app);
            let change = change.before(old.facts()).after(app.facts());
            audits::commit(core, tx, author, change).await?;
            Ok(app)
        })
        .await?;
    core.callers.forget_app(app.id);
    Ok(app)
}

/// Replaces an app's client_secret, and revokes all its tokens if `revoke_tokens`. Returns the app with
/// the new secret, of which only the hash is stored. `show` gets both before: when it fails, nothing changes.
///
/// # Errors
/// `AppNotFound`; that of `show`.
pub async fn rotate_secret(
    call: &OperatorCall,
    key: &AppKey,
    revoke_tokens: bool,
    show: impl Fn(&App, &Secret) -> Result<(), Error>,
) -> Result<(App, Secret), Error> {
    let OperatorCall { core, author, deadline } = call;
    let secret = Secret::generate(SecretKind::ClientSecret);
    let app = core
        .db
        .retrying(|| async {
            let mut tx = core.db.begin(*deadline).await?;
            let now = core.clock.now();
            let app = found(apps::set_secret(&mut tx, key, secret.hash(), now).await?, key)?;
            if revoke_tokens {
                tokens::revoke_all(&mut tx, app.id).await?;
            }
            show(&app, &secret)?;
            let replaced = json!({ "client_secret": REPLACED, "tokens_revoked": revoke_tokens });
            let change = Audited::new("AppService/RotateClientSecret").in_app(&app);
            audits::commit(core, tx, author, change.after(facts(replaced))).await?;
            Ok(app)
        })
        .await?;
    core.callers.forget_app(app.id);
    Ok((app, secret))
}

/// Gives an app credentials that its owner chose, for instance those that existing clients have. The old
/// ones are refused at once by this instance, by other instances when their cached callers are as old as
/// `--token-cache`. Tokens stay valid.
///
/// # Errors
/// `AppNotFound`; `Invalid` for credentials that another app has, and for a NetEase AppSecret where
/// the service has no key to seal it with.
pub async fn set_credentials(
    call: &OperatorCall,
    key: &AppKey,
    change: &CredentialsChange,
) -> Result<App, Error> {
    let OperatorCall { core, author, deadline } = call;
    let app = core
        .db
        .retrying(|| async {
            let mut tx = core.db.begin(*deadline).await?;
            let now = core.clock.now();
            let mut app = found(apps::lock_by_key(&mut tx, key).await?, key)?;
            let old = app.facts();
            if let Some(Credentials { id, secret }) = &change.client {
                let changed = apps::set_client(&mut tx, app.id, id, secret.hash(), now).await?;
                app = changed.ok_or_else(|| taken("client_id"))?;
            }
            let sealed = match &change.netease {
                NetEaseChange::Keep => None,
                NetEaseChange::Remove => Some(None),
                NetEaseChange::Set(Credentials { id, secret }) => {
                    let sealed = core.keyring.get().seal(secret, app.id).ok_or_else(no_key)?;
                    Some(Some((id.as_str(), sealed)))
                }
            };
            if let Some(sealed) = &sealed {
                let sealed = sealed.as_ref().map(|(id, sealed)| (*id, sealed.as_slice()));
                let changed = apps::set_netease(&mut tx, app.id, sealed, now).await?;
                app = changed.ok_or_else(|| taken("netease_app_key"))?;
            }
            let mut new = app.facts();
            new.append(&mut change.facts());
            let change =
                Audited::new("AppService/SetCredentials").in_app(&app).before(old).after(new);
            audits::commit(core, tx, author, change).await?;
            Ok(app)
        })
        .await?;
    core.callers.forget_app(app.id);
    Ok(app)
}

fn taken(field: &str) -> Error {
    Invalid::argument(field, "belongs to another app").into()
}

fn no_key() -> Error {
    Invalid::argument("netease_app_secret", "can't be kept: the service has no --credentials-key")
        .into()
}

/// Deletes an app. No call finds it from now on; its rows are removed in the background.
///
/// # Errors
/// `AppNotFound`.
pub async fn delete(call: &OperatorCall, key: &AppKey) -> Result<(), Error> {
    let OperatorCall { core, author, deadline } = call;
    let app_id = core
        .db
        .retrying(|| async {
            let mut tx = core.db.begin(*deadline).await?;
            let app = found(apps::mark_deleted(&mut tx, key, core.clock.now()).await?, key)?;
            tokens::revoke_all(&mut tx, app.id).await?;
            let change = Audited::new("AppService/DeleteApp").in_app(&app).before(app.facts());
            audits::commit(core, tx, author, change).await?;
            Ok(app.id)
        })
        .await?;
    core.callers.forget_app(app_id);
    Ok(())
}

fn found<T>(value: Option<T>, key: &AppKey) -> Result<T, Error> {
    value.ok_or_else(|| Error::AppNotFound(key.clone()))
}
