//! The first minutes of a new user: a demo app with a few users, and commands to paste.

use std::{env, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Shown,
    domain::{
        AppKey, AppLimitsChange, BodyFormat, CallbackUrl, Error, EventType, Nickname, RuleChange,
        RuleChoice, Secret, Username,
    },
    ops::{Call, Core, apps, callbacks, tokens, users},
    receiver::{self, Checked, ReceiverArgs},
};

const APP_KEY: &str = "demo#demo";

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
    receive_callbacks(core, deadline, &key, stop).await?;
    let issued = tokens::issue_as_operator(core, deadline, &key, Duration::ZERO).await?;
    print!("{}", text(address, tls, issued.token.reveal(), operator_token.map(Secret::reveal)));
    Ok(())
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
    let rules = callbacks::list(core, deadline, key).await?;
    let kept = rules.iter().find(|rule| rule.url.uri().path() == RECEIVER_PATH);
    let rule = match kept {
        Some(rule) => {
            let change =
                RuleChange { url: Some(url), enabled: Some(true), ..RuleChange::default() };
            callbacks::update(core, deadline, key, rule.id, change).await?
        }
        None => {
            let choice = RuleChoice {
                url,
                event_types: EventType::wanted().collect(),
                body_format: BodyFormat::Standard,
                ca_certificates: String::new(),
            };
            callbacks::create(core, deadline, key, choice, None).await?
        }
    };
    let args = ReceiverArgs {
        listen,
        secret: Checked(Some(rule.secret)),
        status: 200,
        delay: Shown(Duration::ZERO),
    };
    tokio::spawn(receiver::serve(listener, args, stop));
    Ok(())
}

/// What is printed. Every line that starts with the command's name can be pasted as it is.
fn text(address: SocketAddr, tls: bool, token: &str, operator_token: Option<&str>) -> String {
    let grpcurl = env::var("BEFRIEND_GRPCURL").unwrap_or_else(|_| "grpcurl".to_owned());
    // Nobody has to trust a certificate to try things on their own machine.
    let (wire, option) = if tls { ("TLS", "-insecure") } else { ("without TLS", "-plaintext") };
    let call = |title: &str, token: &str, message: &str, method: &str| {
        format!(
            "# {title}\n{grpcurl} {option} -H 'authorization: Bearer {token}' -d '{message}' \
             {address} befriend.v1.{method}\n"
        )
    };
    let mut text = format!(
        "\nbefriend listens on {address} (gRPC, {wire}). Ctrl-C ends it; the data stays.\n\
         The app {APP_KEY} has the users alice, bob, carol, dave and erin.\n\
         A token of the app: {token}\n\n\
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
    ] {
        text += &call(title, token, message, method);
    }
    if let Some(operator) = operator_token {
        text += &call("All apps, as the operator", operator, "{}", "AppService/ListApps");
    }
    text.push('\n');
    text
}
