//! `--demo`: an app with a few users to try befriend with, and commands to paste.

use std::{env, net::SocketAddr, sync::Arc, time::Duration};

use axum::http::StatusCode;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use super::receiver::{self, Behavior};
use crate::cli::{core::author, error::CommandError};
use crate::{
    domain::{
        AppKey, AppLimitsChange, BodyFormat, CallbackUrl, CredentialsChange, Error, EventType,
        Nickname, RuleChange, RuleChoice, Secret, Username,
    },
    ops::{
        Call, Context, Core, OperatorCall,
        access::{apps, authenticate, callback_rules, tokens},
        users,
    },
    trace::Trace,
};

const APP_KEY: &str = "demo#demo";
const NETEASE_APP_KEY: &str = "demo";

/// The path of the callback receiver in this process.
const RECEIVER_PATH: &str = "/befriend-demo";

const USERS: [(&str, &str); 5] =
    [("alice", "Alice"), ("bob", "Bob"), ("carol", "Carol"), ("dave", "Dave"), ("erin", "Erin")];

/// Creates the demo app, if it does not exist yet. Returns a text with commands that use it.
pub(in crate::cli) async fn prepare(
    core: &Arc<Core>,
    address: SocketAddr,
    tls: bool,
    operator_token: Option<&Secret>,
    stop: CancellationToken,
) -> Result<String, CommandError> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let console = OperatorCall { core: Arc::clone(core), author: author(), deadline };
    let key = AppKey::parse("app_key", APP_KEY)?;
    let app = match apps::create(&console, &key, AppLimitsChange::default(), |_, _| Ok(())).await {
        Ok((app, _)) => app,
        Err(Error::AppAlreadyExists(_)) => apps::get(core, &key).await?,
        Err(error) => return Err(error.into()),
    };
    let context =
        Context { core: Arc::clone(core), app: Arc::new(app), deadline, trace: Trace::NONE };
    let call = Call::alone(context, author());
    for (username, nickname) in USERS {
        let user = (Username::parse("username", username)?, Nickname::parse("nickname", nickname)?);
        match users::create(&call, &[user]).await {
            Ok(_) | Err(Error::UserAlreadyExists(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let failed = |error| format!("the demo's receiver can't listen on 127.0.0.1: {error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let url =
        CallbackUrl::parse("url", &format!("http://{}{RECEIVER_PATH}", listener.local_addr()?))?;
    match receive_callbacks(&console, &key, url, listener, stop).await {
        Ok(()) => {}
        // The app has as many rules as it can, made by hand: the rest of the demo works without one.
        Err(error @ Error::CallbackRuleLimitExceeded { .. }) => {
            tracing::warn!(%error, "the demo receives no callbacks");
        }
        Err(error) => return Err(error.into()),
    }
    let issued = tokens::issue_as_operator(&console, &key, Duration::ZERO, |_| Ok(())).await?;
    let secret = netease_secret(&console, &key).await?;
    let credentials = Credentials {
        token: issued.token.reveal(),
        operator_token: operator_token.map(Secret::reveal),
        netease_secret: secret.as_ref().map(Secret::reveal),
    };
    Ok(instructions(address, tls, &credentials))
}

/// The demo app's AppSecret, generated at the first start; `None` without a key to seal it with.
async fn netease_secret(call: &OperatorCall, key: &AppKey) -> Result<Option<Secret>, Error> {
    if let Some((caller, secret)) =
        authenticate::netease_app(&call.core, NETEASE_APP_KEY, None).await?
        && caller.app.key == *key
    {
        return Ok(Some(secret));
    }
    let generated = uuid::Uuid::new_v4().simple().to_string();
    let change = CredentialsChange::parse(("", ""), (NETEASE_APP_KEY, &generated), false)?;
    match apps::set_credentials(call, key, &change).await {
        Ok(_) => Ok(Some(Secret::presented(&generated))),
        Err(error @ Error::Invalid(_)) => {
            tracing::warn!(%error, "the demo has no NetEase credentials");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The credentials that stand in the printed commands.
struct Credentials<'a> {
    token: &'a str,
    operator_token: Option<&'a str>,
    netease_secret: Option<&'a str>,
}

/// Receives the demo app's callbacks in this process, at this URL, and prints them.
async fn receive_callbacks(
    call: &OperatorCall,
    key: &AppKey,
    url: CallbackUrl,
    listener: TcpListener,
    stop: CancellationToken,
) -> Result<(), Error> {
    // The rule of an earlier start is kept, with the new port.
    let rules = callback_rules::list(&call.core, call.deadline, key).await?;
    let kept = rules.iter().find(|rule| rule.url.uri().path() == RECEIVER_PATH);
    let rule = match kept {
        Some(rule) => {
            let change =
                RuleChange { url: Some(url), enabled: Some(true), ..RuleChange::default() };
            callback_rules::update(call, key, rule.id, change).await?
        }
        None => {
            let choice = RuleChoice {
                url,
                event_types: EventType::wanted().collect(),
                body_format: BodyFormat::Standard,
                ca_certificates: String::new(),
            };
            callback_rules::create(call, key, choice, None, |_| Ok(())).await?
        }
    };
    let behavior =
        Behavior { secret: Some(rule.secret), status: StatusCode::OK, delay: Duration::ZERO };
    tokio::spawn(receiver::serve(listener, behavior, stop));
    Ok(())
}

/// The calls to try: what each does, its message and its method.
const CALLS: [(&str, &str, &str); 7] = [
    (
        "Make alice and bob friends",
        r#"{"owner":"alice","friend":"bob"}"#,
        "FriendService/AddFriend",
    ),
    (
        "Alice calls bob something of her own",
        r#"{"owner":"alice","friend":"bob","remark":"Bob from work"}"#,
        "FriendService/SetRemark",
    ),
    (
        "Import more friends at once",
        r#"{"owner":"alice","usernames":["carol","dave","nobody"]}"#,
        "FriendService/ImportFriends",
    ),
    (
        "Alice's friends",
        r#"{"owner":"alice","page_size":10,"include_remark":true}"#,
        "FriendService/ListFriends",
    ),
    ("Bob blocks alice", r#"{"owner":"bob","usernames":["alice"]}"#, "BlockService/BlockUsers"),
    (
        "May alice write to bob and carol?",
        r#"{"username":"alice","others":["bob","carol"]}"#,
        "RelationService/CheckRelations",
    ),
    ("Which callbacks were sent?", r#"{"page_size":5}"#, "EventService/ListEvents"),
];

/// The text for the terminal. Every line that is no comment can be pasted as it is.
fn instructions(address: SocketAddr, tls: bool, credentials: &Credentials<'_>) -> String {
    let token = credentials.token;
    let grpcurl = env::var("BEFRIEND_GRPCURL").unwrap_or_else(|_| "grpcurl".to_owned());
    // Certificates are not checked: the commands run on this machine, often with a self-signed one.
    let (transport, option) =
        if tls { ("TLS", "-insecure") } else { ("without TLS", "-plaintext") };
    let (scheme, insecure) = if tls { ("https", " -k") } else { ("http", "") };
    let call = |title: &str, token: &str, message: &str, method: &str| {
        format!(
            "# {title}\n{grpcurl} {option} -H 'authorization: Bearer {token}' -d '{message}' \
             {address} befriend.v1.{method}\n"
        )
    };
    let mut text = format!(
        "\nbefriend listens on {address} (gRPC and HTTP, {transport}). Ctrl-C ends it; the data stays.\n\
         The app {APP_KEY} has the users alice, bob, carol, dave and erin.\n\
         A token of the app: {token}\n\
         Each change of a list sends a callback, which this process receives and prints below.\n\n\
         Paste these into another terminal:\n\n\
         # What is there?\n{grpcurl} {option} {address} list\n"
    );
    for (title, message, method) in CALLS {
        text += &call(title, token, message, method);
    }
    text += &format!(
        "# Alice's friends, as JSON\n\
         curl{insecure} -H 'Authorization: Bearer {token}' -H 'Content-Type: application/json' \
         -d '{{\"owner\":\"alice\"}}' \
         {scheme}://{address}/befriend.v1.FriendService/ListAllFriends\n\
         # Alice's friends, as Easemob's clients ask\n\
         curl{insecure} -H 'Authorization: Bearer {token}' \
         {scheme}://{address}/demo/demo/users/alice/contacts/users\n"
    );
    if let Some(secret) = credentials.netease_secret {
        text += &format!(
            "# Alice's friends, as NetEase's clients ask\n\
             now=$(date +%s); curl{insecure} -H 'AppKey: {NETEASE_APP_KEY}' -H 'Nonce: demo' \
             -H \"CurTime: $now\" \
             -H \"CheckSum: $(printf %s {secret}demo$now | openssl dgst -sha1 -r | cut -c1-40)\" \
             -d 'accid=alice&updatetime=0' {scheme}://{address}/nimserver/friend/get.action\n"
        );
    }
    if let Some(operator) = credentials.operator_token {
        text += &call("All apps, as the operator", operator, "{}", "AppService/ListApps");
    }
    text
}
