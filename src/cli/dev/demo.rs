//! The first minutes of a new user: a demo app with a few users, and commands to paste.

use std::{env, net::SocketAddr, sync::Arc, time::Duration};

use axum::http::StatusCode;
use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use super::receiver::{self, Answers};
use crate::{
    domain::{
        AppKey, AppLimitsChange, BodyFormat, CallbackUrl, CredentialsChange, Error, EventType,
        Nickname, RuleChange, RuleChoice, Secret, Username,
    },
    ops::{
        Call, Core,
        access::{apps, authenticate, callback_rules, tokens},
        users,
    },
};

const APP_KEY: &str = "demo#demo";
const NETEASE_APP_KEY: &str = "demo";

/// Where the demo's own receiver is called.
const RECEIVER_PATH: &str = "/befriend-demo";

const USERS: [(&str, &str); 5] =
    [("alice", "Alice"), ("bob", "Bob"), ("carol", "Carol"), ("dave", "Dave"), ("erin", "Erin")];

/// Makes the demo app, if it is not there yet, and prints what can be done with it.
///
/// # Errors
/// Those of the database.
pub async fn prepare(
    core: &Arc<Core>,
    address: SocketAddr,
    tls: bool,
    operator_token: Option<&Secret>,
    stop: CancellationToken,
) -> Result<(), Error> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let key = AppKey::parse("app_key", APP_KEY)?;
    let app = match apps::create(core, deadline, &key, AppLimitsChange::default()).await {
        Ok((app, _)) => app,
        Err(Error::AppAlreadyExists(_)) => apps::get(core, &key).await?,
        Err(error) => return Err(error),
    };
    let call = Call { core: Arc::clone(core), app: Arc::new(app), deadline };
    for (username, nickname) in USERS {
        let user = (Username::parse("username", username)?, Nickname::parse("nickname", nickname)?);
        match users::create(&call, &[user]).await {
            Ok(_) | Err(Error::UserAlreadyExists(_)) => {}
            Err(error) => return Err(error),
        }
    }
    match receive_callbacks(core, deadline, &key, stop).await {
        Ok(()) => {}
        // The user's own rules come first; everything else can be tried all the same.
        Err(error @ Error::CallbackRuleLimitExceeded { .. }) => {
            tracing::warn!(%error, "the demo receives no callbacks");
        }
        Err(error) => return Err(error),
    }
    let issued = tokens::issue_as_operator(core, deadline, &key, Duration::ZERO).await?;
    let secret = netease_secret(core, deadline, &key).await?;
    let shown = Shown {
        token: issued.token.reveal(),
        operator_token: operator_token.map(Secret::reveal),
        netease_secret: secret.as_ref().map(Secret::reveal),
    };
    print!("{}", text(address, tls, shown));
    Ok(())
}

/// The demo app's AppSecret, made at the first start; none without a key to seal it with.
async fn netease_secret(
    core: &Core,
    deadline: Instant,
    key: &AppKey,
) -> Result<Option<Secret>, Error> {
    if let Some((app, secret)) = authenticate::netease_app(core, NETEASE_APP_KEY).await?
        && app.key == *key
    {
        return Ok(Some(secret));
    }
    let made = uuid::Uuid::new_v4().simple().to_string();
    let change = CredentialsChange::parse(("", ""), (NETEASE_APP_KEY, &made), false)?;
    match apps::set_credentials(core, deadline, key, &change).await {
        Ok(_) => Ok(Some(Secret::presented(&made))),
        Err(error @ Error::Invalid(_)) => {
            tracing::warn!(%error, "the demo has no NetEase credentials");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What the demo shows of its secrets.
struct Shown<'a> {
    token: &'a str,
    operator_token: Option<&'a str>,
    netease_secret: Option<&'a str>,
}

/// Receives the demo app's callbacks in this process and prints them.
async fn receive_callbacks(
    core: &Core,
    deadline: Instant,
    key: &AppKey,
    stop: CancellationToken,
) -> Result<(), Error> {
    let broken = |error: std::io::Error| Error::Internal(format!("the demo receiver: {error}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(broken)?;
    let listen = listener.local_addr().map_err(broken)?;
    let url = CallbackUrl::parse("url", &format!("http://{listen}{RECEIVER_PATH}"))?;
    // The rule of an earlier start goes on at the new port.
    let rules = callback_rules::list(core, deadline, key).await?;
    let kept = rules.iter().find(|rule| rule.url.uri().path() == RECEIVER_PATH);
    let rule = match kept {
        Some(rule) => {
            let change =
                RuleChange { url: Some(url), enabled: Some(true), ..RuleChange::default() };
            callback_rules::update(core, deadline, key, rule.id, change).await?
        }
        None => {
            let choice = RuleChoice {
                url,
                event_types: EventType::wanted().collect(),
                body_format: BodyFormat::Standard,
                ca_certificates: String::new(),
            };
            callback_rules::create(core, deadline, key, choice, None).await?
        }
    };
    let answers =
        Answers { secret: Some(rule.secret), status: StatusCode::OK, delay: Duration::ZERO };
    tokio::spawn(receiver::serve(listener, answers, stop));
    Ok(())
}

/// What is printed. Every line that starts with the command's name can be pasted as it is.
fn text(address: SocketAddr, tls: bool, shown: Shown<'_>) -> String {
    let token = shown.token;
    let grpcurl = env::var("BEFRIEND_GRPCURL").unwrap_or_else(|_| "grpcurl".to_owned());
    // Nobody has to trust a certificate to try things on their own machine.
    let (wire, option) = if tls { ("TLS", "-insecure") } else { ("without TLS", "-plaintext") };
    let (scheme, insecure) = if tls { ("https", " -k") } else { ("http", "") };
    let call = |title: &str, token: &str, message: &str, method: &str| {
        format!(
            "# {title}\n{grpcurl} {option} -H 'authorization: Bearer {token}' -d '{message}' \
             {address} befriend.v1.{method}\n"
        )
    };
    let mut text = format!(
        "\nbefriend listens on {address} (gRPC and HTTP, {wire}). Ctrl-C ends it; the data stays.\n\
         The app {APP_KEY} has the users alice, bob, carol, dave and erin.\n\
         A token of the app: {token}\n\
         Each change of a list sends a callback, which is received here and printed below.\n\n\
         Paste these into another terminal:\n\n\
         # What is there?\n{grpcurl} {option} {address} list\n"
    );
    for (title, message, method) in [
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
    ] {
        text += &call(title, token, message, method);
    }
    text += &format!(
        "# Alice's friends, as Easemob's clients ask\n\
         curl{insecure} -H 'Authorization: Bearer {token}' \
         {scheme}://{address}/demo/demo/users/alice/contacts/users\n"
    );
    if let Some(secret) = shown.netease_secret {
        text += &format!(
            "# Alice's friends, as NetEase's clients ask\n\
             now=$(date +%s); curl{insecure} -H 'AppKey: {NETEASE_APP_KEY}' -H 'Nonce: demo' \
             -H \"CurTime: $now\" \
             -H \"CheckSum: $(printf %s {secret}demo$now | openssl dgst -sha1 -r | cut -c1-40)\" \
             -d 'accid=alice&updatetime=0' {scheme}://{address}/nimserver/friend/get.action\n"
        );
    }
    if let Some(operator) = shown.operator_token {
        text += &call("All apps, as the operator", operator, "{}", "AppService/ListApps");
    }
    text.push('\n');
    text
}
