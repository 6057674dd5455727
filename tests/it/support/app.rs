//! The real server on a port of its own, with tenants to call it as.

use std::sync::Arc;

use befriend::{
    clock::Clock,
    config::ServeArgs,
    domain::Secret,
    ops::Core,
    proto::{
        self, app_service_client::AppServiceClient, block_service_client::BlockServiceClient,
        callback_rule_service_client::CallbackRuleServiceClient,
        event_service_client::EventServiceClient, friend_service_client::FriendServiceClient,
        relation_service_client::RelationServiceClient, token_service_client::TokenServiceClient,
        user_service_client::UserServiceClient,
    },
    server,
};
use clap::Parser;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Status,
    metadata::MetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use super::postgres;

/// The operator's token of every test.
pub const OPERATOR_TOKEN: &str = "operator-token-of-the-tests-0123456789";

/// Reads settings as the command line does.
#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    serve: ServeArgs,
}

/// The settings for these flags.
pub fn settings(flags: &[&str]) -> ServeArgs {
    let always = ["befriend", "--listen", "127.0.0.1:0", "--db-min-connections", "0"];
    let flags = always.iter().chain(flags);
    Settings::try_parse_from(flags).unwrap_or_else(|error| panic!("{error}")).serve
}

/// A running server on a fresh database. It ends with the test.
pub struct TestApp {
    /// What the server's operations share.
    pub core: Arc<Core>,
    /// Where the server listens, as "http://127.0.0.1:port".
    pub url: String,
    /// The server's database.
    pub database_url: String,
    pool: PgPool,
    /// A connection to the server.
    pub channel: Channel,
    /// Ends the server.
    pub stop: CancellationToken,
    /// The server's task.
    pub serving: Option<tokio::task::JoinHandle<()>>,
}

/// Shows a bearer token with every call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<tonic::metadata::Ascii>);

impl Bearer {
    /// Shows this token.
    pub fn new(token: &str) -> Self {
        Self(format!("Bearer {token}").parse().expect("a token is ASCII"))
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// A channel whose calls show a token.
pub type Authorized = InterceptedService<Channel, Bearer>;

impl TestApp {
    /// A server with the default settings.
    pub async fn start() -> Self {
        Self::with(&[], Clock::system()).await
    }

    /// A server with these flags and this clock.
    pub async fn with(flags: &[&str], clock: Clock) -> Self {
        Self::on(&postgres::fresh_database().await, flags, clock).await
    }

    /// A server on this database.
    pub async fn on(database_url: &str, flags: &[&str], clock: Clock) -> Self {
        Self::between(database_url, database_url, flags, clock).await
    }

    /// A server that reaches its database by the URL `through`, while the test has its own way to it.
    pub async fn between(through: &str, database_url: &str, flags: &[&str], clock: Clock) -> Self {
        let args = settings(flags);
        let operator = Secret::presented(OPERATOR_TOKEN);
        let core = server::core(through, &args, Some(operator), clock).expect("a core");
        let listener =
            TcpListener::bind(args.listener.listen.host_and_port()).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let stop = CancellationToken::new();
        let (served, stopping) = (Arc::clone(&core), stop.clone());
        let serving = tokio::spawn(async move {
            let (webhook, admin) = (args.callbacks.webhook(true), server::Admin::default());
            let served = server::serve(listener, served, &args, webhook, &admin, stopping).await;
            served.expect("the server serves");
        });
        let channel = Endpoint::from_shared(url.clone()).expect("a URL").connect_lazy();
        let database_url = database_url.to_owned();
        let pool = PgPool::connect_lazy(&database_url).expect("a URL");
        Self { core, url, database_url, pool, channel, stop, serving: Some(serving) }
    }

    /// Connections of the test's own, to look at the tables.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// AppService, as the operator.
    pub fn apps(&self) -> AppServiceClient<Authorized> {
        AppServiceClient::with_interceptor(self.channel.clone(), Bearer::new(OPERATOR_TOKEN))
    }

    /// CallbackRuleService, as the operator.
    pub fn callback_rules(&self) -> CallbackRuleServiceClient<Authorized> {
        let operator = Bearer::new(OPERATOR_TOKEN);
        CallbackRuleServiceClient::with_interceptor(self.channel.clone(), operator)
    }

    /// TokenService, without a token.
    pub fn logins(&self) -> TokenServiceClient<Channel> {
        TokenServiceClient::new(self.channel.clone())
    }

    /// A new app with a rate that no test reaches, and a token of it.
    pub async fn tenant(&self, app_key: &str) -> Tenant {
        let limits = proto::AppLimits {
            requests_per_second: Some(1_000_000),
            ..proto::AppLimits::default()
        };
        self.tenant_with(app_key, limits).await
    }

    /// A new app with these limits, and a token of it.
    pub async fn tenant_with(&self, app_key: &str, limits: proto::AppLimits) -> Tenant {
        tenant_on(self.channel.clone(), OPERATOR_TOKEN, app_key, limits).await
    }
}

/// A new app on the server of this channel, and a token of it.
pub async fn tenant_on(
    channel: Channel,
    operator_token: &str,
    app_key: &str,
    limits: proto::AppLimits,
) -> Tenant {
    let mut apps = AppServiceClient::with_interceptor(channel.clone(), Bearer::new(operator_token));
    let request = proto::CreateAppRequest { app_key: app_key.to_owned(), limits: Some(limits) };
    let created = apps.create_app(request).await.expect("an app").into_inner();
    let app = created.app.expect("an app");
    let login = proto::IssueTokenRequest {
        client_id: app.client_id.clone(),
        client_secret: created.client_secret.clone(),
        ttl: None,
    };
    let issued = TokenServiceClient::new(channel.clone()).issue_token(login).await;
    let token = issued.expect("a token").into_inner().access_token;
    Tenant { channel, app, client_secret: created.client_secret, token }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An app, its credentials and a token.
#[derive(Clone)]
pub struct Tenant {
    /// The connection.
    pub channel: Channel,
    /// The app.
    pub app: proto::App,
    /// Its secret.
    pub client_secret: String,
    /// A token of it.
    pub token: String,
}

impl Tenant {
    fn authorized(&self) -> Authorized {
        InterceptedService::new(self.channel.clone(), Bearer::new(&self.token))
    }

    /// FriendService.
    pub fn friends(&self) -> FriendServiceClient<Authorized> {
        FriendServiceClient::new(self.authorized())
    }

    /// BlockService.
    pub fn blocks(&self) -> BlockServiceClient<Authorized> {
        BlockServiceClient::new(self.authorized())
    }

    /// RelationService.
    pub fn relations(&self) -> RelationServiceClient<Authorized> {
        RelationServiceClient::new(self.authorized())
    }

    /// UserService.
    pub fn users(&self) -> UserServiceClient<Authorized> {
        UserServiceClient::new(self.authorized())
    }

    /// EventService.
    pub fn events(&self) -> EventServiceClient<Authorized> {
        EventServiceClient::new(self.authorized())
    }

    /// TokenService.
    pub fn tokens(&self) -> TokenServiceClient<Authorized> {
        TokenServiceClient::new(self.authorized())
    }

    /// Creates users without nicknames.
    pub async fn create(&self, usernames: &[&str]) {
        for chunk in usernames.chunks(60) {
            let users = chunk.iter().map(|name| proto::NewUser {
                username: (*name).to_owned(),
                nickname: String::new(),
            });
            let request = proto::BatchCreateUsersRequest { users: users.collect() };
            self.users().batch_create_users(request).await.expect("users");
        }
    }

    /// Makes two users friends.
    pub async fn befriend(&self, owner: &str, friend: &str) -> Result<proto::User, Status> {
        self.befriend_with(owner, friend, "").await
    }

    /// Ends a friendship, remarks kept.
    pub async fn unfriend(&self, owner: &str, friend: &str) -> Result<proto::User, Status> {
        let request = proto::RemoveFriendRequest {
            owner: owner.to_owned(),
            friend: friend.to_owned(),
            clear_remark: false,
        };
        let answer = self.friends().remove_friend(request).await?;
        Ok(answer.into_inner().user.expect("a profile"))
    }

    /// Sets a remark.
    pub async fn remark(
        &self,
        owner: &str,
        friend: &str,
        remark: &str,
    ) -> Result<proto::Friend, Status> {
        let request = proto::SetRemarkRequest {
            owner: owner.to_owned(),
            friend: friend.to_owned(),
            remark: remark.to_owned(),
        };
        let answer = self.friends().set_remark(request).await?;
        Ok(answer.into_inner().friend.expect("an entry"))
    }

    /// All friends of a user.
    pub async fn friends_of(&self, owner: &str) -> Result<Vec<String>, Status> {
        let request = proto::ListAllFriendsRequest { owner: owner.to_owned() };
        Ok(self.friends().list_all_friends(request).await?.into_inner().usernames)
    }

    /// Blocks users.
    pub async fn block(&self, owner: &str, usernames: &[&str]) -> Result<Vec<String>, Status> {
        let request = proto::BlockUsersRequest {
            owner: owner.to_owned(),
            usernames: usernames.iter().map(|name| (*name).to_owned()).collect(),
        };
        Ok(self.blocks().block_users(request).await?.into_inner().usernames)
    }

    /// The newest blocked users of a user.
    pub async fn blocked_by(&self, owner: &str) -> Result<Vec<String>, Status> {
        let request = proto::ListAllBlockedUsersRequest { owner: owner.to_owned() };
        Ok(self.blocks().list_all_blocked_users(request).await?.into_inner().usernames)
    }

    /// The head of a user's lists.
    pub async fn head(&self, username: &str) -> Result<proto::ListSummary, Status> {
        let request = proto::GetUserRequest { username: username.to_owned() };
        let answer = self.users().get_user(request).await?;
        Ok(answer.into_inner().list_summary.expect("a head"))
    }
}
