//! Reads certificates and secrets again while the service serves: certificates as soon as they are renewed,
//! and all of it when the process is told to.

use std::{sync::Arc, time::Duration};

use super::{certificates::Renewal, error::ServeError, signals::Signals};
use crate::{
    config::{DatabaseArgs, ServeArgs},
    ops::Core,
};

/// How often the files of the certificates are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Reads again what changes, for ever.
pub(super) async fn follow(
    core: Arc<Core>,
    args: ServeArgs,
    mut renewal: Option<Renewal>,
    signals: Signals,
) {
    loop {
        let told = tokio::time::timeout(INTERVAL, signals.reload.notified()).await.is_ok();
        if told {
            tracing::info!("certificates and secrets are read again");
            read_secrets(&core, &args, signals.database.as_ref());
        }
        if let Some(before) = renewal.take() {
            renewal = Some(before.round(&core.background_work, told).await);
        }
    }
}

/// Takes over the secrets as they are in their files now. One that can't be used stays as it was.
fn read_secrets(core: &Core, args: &ServeArgs, database: Option<&DatabaseArgs>) {
    let keep = |error: &dyn std::error::Error| {
        tracing::error!(%error, "a secret can't be used: the one from before is used on");
    };
    match args.access.operator_token() {
        // Without a setting it is the one that is kept beside the private Postgres.
        Ok(None) => {}
        Ok(Some(token)) => core.operator_token.set(Some(token.hash())),
        Err(error) => keep(&error),
    }
    match args.access.credentials_key.keyring() {
        Ok(keyring) => core.keyring.set(Arc::new(keyring)),
        Err(error) => keep(&error),
    }
    match database.map(DatabaseArgs::url).transpose().map(Option::flatten) {
        Ok(None) => {}
        Ok(Some(url)) => {
            if let Err(error) = core.db.set_url(url.reveal()).map_err(ServeError::DatabaseUrl) {
                keep(&error);
            }
        }
        Err(error) => keep(&error),
    }
}
