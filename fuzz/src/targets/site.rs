//! A service under test, and an app with users on it.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicU32, Ordering},
};

use befriend::{
    clock::Clock,
    grpc::{Access, Methods},
    proto::{
        self, app_service_client::AppServiceClient,
        callback_rule_service_client::CallbackRuleServiceClient,
        token_service_client::TokenServiceClient, user_service_client::UserServiceClient,
    },
};
use sha1::{Digest as _, Sha1};
use tokio::net::TcpListener;
use tonic::{
    Request,
    transport::{Channel, Endpoint},
};

/// The flags of the service: it keeps NetEase's AppSecrets, and refuses nobody for too many calls.
pub const FLAGS: &[&str] = &[
    "--credentials-key",
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "--failed-logins",
    "1000000",
];

/// The users of the app.
const USERS: [&str; 4] = ["alice", "bob", "carol", "dave"];

/// A running service, and one app of it.
pub struct Site {
    /// Where it listens.
    pub address: SocketAddr,
    /// A connection to it.
    pub channel: Channel,
    /// The operator's token.
    pub operator_token: String,
    /// The app's key, "org#app".
    pub app_key: String,
    /// The app's token.
    pub token: String,
    /// A rule of the app, for [`super::answers::receiver`].
    pub rule_id: String,
    /// The receiver of the rule.
    pub receiver: TcpListener,
    /// The paths of all methods, in order, with who may call each and whether its answer is a stream.
    pub methods: Vec<(String, Access, bool)>,
    netease: (String, String),
    nonces: AtomicU32,
}

/// A request of the operator or an app.
fn authorized<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let bearer = format!("Bearer {token}").parse().expect("a token is ASCII");
    request.metadata_mut().insert("authorization", bearer);
    request
}

/// Creates an app with NetEase's credentials, and returns a token of it.
async fn new_app(
    channel: Channel,
    operator_token: &str,
    app_key: &str,
    (netease_key, netease_secret): (&str, &str),
) -> String {
    let limits = proto::AppLimits { requests_per_second: Some(1_000_000), ..Default::default() };
    let create = proto::CreateAppRequest { app_key: app_key.to_owned(), limits: Some(limits) };
    let mut apps = AppServiceClient::new(channel.clone());
    let created = apps.create_app(authorized(operator_token, create)).await;
    let created = created.expect("a new app").into_inner();
    let set = proto::SetCredentialsRequest {
        app_key: app_key.to_owned(),
        netease_app_key: netease_key.to_owned(),
        netease_app_secret: netease_secret.to_owned(),
        ..Default::default()
    };
    apps.set_credentials(authorized(operator_token, set)).await.expect("NetEase's credentials");
    let login = proto::IssueTokenRequest {
        client_id: created.app.expect("the new app").client_id,
        client_secret: created.client_secret,
        ..Default::default()
    };
    let issued = TokenServiceClient::new(channel).issue_token(login).await;
    issued.expect("a token").into_inner().access_token
}

/// Creates a rule with this URL, and returns its id. It is only tried out: of what the users do it gets
/// hardly anything.
async fn new_rule(channel: Channel, operator_token: &str, app_key: &str, url: String) -> String {
    let rule = proto::CreateCallbackRuleRequest {
        app_key: app_key.to_owned(),
        url,
        event_types: vec!["friend.request_cancelled".to_owned()],
        ..Default::default()
    };
    let mut rules = CallbackRuleServiceClient::new(channel);
    let rule = rules.create_callback_rule(authorized(operator_token, rule)).await;
    rule.expect("a rule").into_inner().rule.expect("the new rule").rule_id
}

impl Site {
    /// Makes an app with users on the service at `address`, which was started with [`FLAGS`].
    pub async fn prepare(address: SocketAddr, operator_token: &str, app_key: &str) -> Self {
        let channel = Endpoint::from_shared(format!("http://{address}")).expect("a URL");
        let channel = channel.connect_lazy();
        let netease = (app_key.replace('#', "-"), "a-secret-of-netease".to_owned());
        let credentials = (netease.0.as_str(), netease.1.as_str());
        let token = new_app(channel.clone(), operator_token, app_key, credentials).await;
        let users = USERS
            .map(|username| proto::NewUser { username: username.to_owned(), ..Default::default() });
        let users = proto::BatchCreateUsersRequest { users: users.to_vec() };
        let mut made = UserServiceClient::new(channel.clone());
        made.batch_create_users(authorized(&token, users)).await.expect("users");

        let receiver = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/", receiver.local_addr().expect("an address"));
        let rule_id = new_rule(channel.clone(), operator_token, app_key, url).await;
        let methods = Methods::read();
        let mut methods: Vec<_> = methods
            .iter()
            .map(|(path, method)| (path.to_owned(), method.access, method.streams))
            .collect();
        methods.sort_by(|one, other| one.0.cmp(&other.0));
        Self {
            address,
            channel,
            operator_token: operator_token.to_owned(),
            app_key: app_key.to_owned(),
            token,
            rule_id,
            receiver,
            methods,
            netease,
            nonces: AtomicU32::new(0),
        }
    }

    /// A request of the operator.
    pub fn operators<T>(&self, message: T) -> Request<T> {
        authorized(&self.operator_token, message)
    }

    /// NetEase's headers of a request that is made now, as lines.
    pub fn netease_headers(&self) -> String {
        let nonce = self.nonces.fetch_add(1, Ordering::Relaxed);
        let now = Clock::system().now().unix_timestamp();
        let (key, secret) = &self.netease;
        let sum = Sha1::digest(format!("{secret}{nonce}{now}"));
        let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("AppKey: {key}\r\nNonce: {nonce}\r\nCurTime: {now}\r\nCheckSum: {sum}\r\n")
    }
}
