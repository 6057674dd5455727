//! `--ephemeral`: befriend for one run of somebody's tests, with an app made ready. It says in one line of JSON
//! how to call it, and ends with its parent.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clap::{ArgMatches, parser::ValueSource};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    core::{author, deadline},
    error::CommandError,
    output::{print, time},
};
use crate::{
    config::{ListenAddress, ServeArgs, SettingsFile},
    domain::{AppKey, AppLimitsChange, Secret},
    ops::{
        Core, OperatorCall,
        access::{apps, tokens},
    },
    store,
};

/// The app that is made ready.
const APP_KEY: &str = "ephemeral#app";

/// How long calls under way may take when befriend is told to stop: nobody waits for their answers.
const SHUTDOWN: Duration = Duration::from_secs(1);

/// Sets what `--ephemeral` has another default for: a free port, and a quick end.
pub(super) fn set_defaults(
    args: &mut ServeArgs,
    matches: &ArgMatches,
    file: Option<&SettingsFile>,
) {
    let own = matches.subcommand_matches("serve").unwrap_or(matches);
    let given = |id: &str, name: &str| {
        own.value_source(id) != Some(ValueSource::DefaultValue)
            || file.is_some_and(|file| file.has(name))
    };
    if !given("listen", "listen") {
        args.listener.listen = ListenAddress::any_port();
    }
    if !given("shutdown_timeout", "shutdown-timeout") {
        args.listener.shutdown_timeout = SHUTDOWN;
    }
}

/// Makes the app ready, and prints the line.
///
/// # Errors
/// When the line can't be printed: nobody would know of this service.
pub(super) async fn introduce(
    core: &Arc<Core>,
    database_url: &str,
    address: SocketAddr,
    tls: bool,
    operator_token: Option<&Secret>,
) -> Result<(), CommandError> {
    let call = OperatorCall { core: Arc::clone(core), author: author(), deadline: deadline() };
    let key = AppKey::parse("app_key", APP_KEY)?;
    // A suite of tests is a burst of calls.
    let limits = AppLimitsChange {
        requests_per_second: Some(AppLimitsChange::MAX_RATE),
        ..AppLimitsChange::default()
    };
    let (app, secret) = apps::create(&call, &key, limits, |_, _| Ok(())).await?;
    let issued = tokens::issue_as_operator(&call, &key, Duration::ZERO, |_| Ok(())).await?;
    let scheme = if tls { "https" } else { "http" };
    let expires_at: OffsetDateTime = core.clock.now() + issued.expires_in;
    print(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "address": address.to_string(),
        "url": format!("{scheme}://{address}"),
        "tls": tls,
        "database": store::place(database_url)?,
        "operator_token": operator_token.map(Secret::reveal),
        "app": {
            "app_key": app.key.as_str(),
            "app_uuid": app.id.to_string(),
            "client_id": app.client_id,
            "client_secret": secret.reveal(),
            "access_token": issued.token.reveal(),
            "access_token_expires_at": time(expires_at),
        },
    }))?;
    Ok(())
}
