//! The client, and how it is made.

use std::time::Duration;

use tonic::{
    Status,
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity},
};

use crate::{
    error::Error,
    proto::{
        app_service_client::AppServiceClient, audit_service_client::AuditServiceClient,
        block_service_client::BlockServiceClient,
        callback_rule_service_client::CallbackRuleServiceClient,
        event_service_client::EventServiceClient, friend_service_client::FriendServiceClient,
        operator_token_service_client::OperatorTokenServiceClient,
        relation_service_client::RelationServiceClient, token_service_client::TokenServiceClient,
        user_service_client::UserServiceClient,
    },
    tokens::{Tokens, bearer},
    transport::Transport,
};

/// A client of one app, or of the operator. It is cheap to clone, and all clones share one connection and one
/// token.
///
/// Every call made through it:
///
/// - has a deadline: the timeout of the request if it has one, else the client's (10 s unless set);
/// - shows a token. With credentials the client fetches one, renews it before it expires, and once more when the
///   service does not accept it any longer;
/// - is tried again, up to 5 times in all, within its deadline and after pauses that grow: after UNAVAILABLE only
///   if the method may be repeated (the protos call it NO_SIDE_EFFECTS or IDEMPOTENT) or if nothing was sent; after
///   CONFLICT and RATE_LIMITED always, since the service then has done nothing. A pause is never shorter than the
///   service's RetryInfo says.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
}

/// Makes a [`Client`].
pub struct Builder {
    url: String,
    tokens: Result<Tokens, Status>,
    tls: Option<ClientTlsConfig>,
    timeout: Duration,
    attempts: u32,
    first_pause: Duration,
}

impl Client {
    /// A client of the service at this URL: "http://127.0.0.1:50051", or https.
    pub fn builder(url: impl Into<String>) -> Builder {
        Builder {
            url: url.into(),
            tokens: Ok(Tokens::None),
            tls: None,
            timeout: Duration::from_secs(10),
            attempts: 5,
            first_pause: Duration::from_millis(100),
        }
    }

    /// FriendService: friends, remarks, friend requests.
    #[must_use]
    pub fn friends(&self) -> FriendServiceClient<Transport> {
        FriendServiceClient::new(self.transport.clone())
    }

    /// BlockService: block lists.
    #[must_use]
    pub fn blocks(&self) -> BlockServiceClient<Transport> {
        BlockServiceClient::new(self.transport.clone())
    }

    /// RelationService: "may A write to B?".
    #[must_use]
    pub fn relations(&self) -> RelationServiceClient<Transport> {
        RelationServiceClient::new(self.transport.clone())
    }

    /// UserService: accounts.
    #[must_use]
    pub fn users(&self) -> UserServiceClient<Transport> {
        UserServiceClient::new(self.transport.clone())
    }

    /// TokenService: a client with credentials needs it only to revoke a token.
    #[must_use]
    pub fn tokens(&self) -> TokenServiceClient<Transport> {
        TokenServiceClient::new(self.transport.clone())
    }

    /// EventService: the events of an app and their delivery. For the operator.
    #[must_use]
    pub fn events(&self) -> EventServiceClient<Transport> {
        EventServiceClient::new(self.transport.clone())
    }

    /// AppService. For the operator.
    #[must_use]
    pub fn apps(&self) -> AppServiceClient<Transport> {
        AppServiceClient::new(self.transport.clone())
    }

    /// CallbackRuleService. For the operator.
    #[must_use]
    pub fn callback_rules(&self) -> CallbackRuleServiceClient<Transport> {
        CallbackRuleServiceClient::new(self.transport.clone())
    }

    /// AuditService. For the operator.
    #[must_use]
    pub fn audit(&self) -> AuditServiceClient<Transport> {
        AuditServiceClient::new(self.transport.clone())
    }

    /// OperatorTokenService. For the operator.
    #[must_use]
    pub fn operator_tokens(&self) -> OperatorTokenServiceClient<Transport> {
        OperatorTokenServiceClient::new(self.transport.clone())
    }
}

impl Builder {
    /// Calls show tokens that the service issues for these credentials of an app.
    #[must_use]
    pub fn credentials(
        mut self,
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> Self {
        self.tokens = Ok(Tokens::issued(client_id.into(), client_secret.into()));
        self
    }

    /// Calls show this token, an app's or an operator's, which is never renewed.
    #[must_use]
    pub fn token(mut self, token: &str) -> Self {
        self.tokens = bearer(token).map(Tokens::Fixed);
        self
    }

    /// Trusts these certificate authorities (PEM) for https, beside the system's.
    #[must_use]
    pub fn ca_certificate(mut self, pem: impl AsRef<[u8]>) -> Self {
        let tls = self.tls.unwrap_or_else(|| ClientTlsConfig::new().with_enabled_roots());
        self.tls = Some(tls.ca_certificate(Certificate::from_pem(pem)));
        self
    }

    /// Shows this certificate and key (PEM) to a service that asks its clients for certificates.
    #[must_use]
    pub fn client_certificate(
        mut self,
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Self {
        let tls = self.tls.unwrap_or_else(|| ClientTlsConfig::new().with_enabled_roots());
        self.tls = Some(tls.identity(Identity::from_pem(certificate, key)));
        self
    }

    /// How long a call may take that has no timeout of its own, retries included. Watches have no such limit.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a call is tried in all; 1 for no retries.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.max(1);
        self
    }

    /// The first pause before a retry; the next ones are longer.
    #[must_use]
    pub fn first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// The client. It connects with the first call, and again whenever the connection is lost.
    ///
    /// # Errors
    /// INVALID_ARGUMENT when the URL, the token or a certificate can't be used.
    ///
    /// # Panics
    /// Outside a tokio runtime, which the connection needs.
    pub fn build(self) -> Result<Client, Error> {
        let refused = |error: tonic::transport::Error| {
            let why =
                std::error::Error::source(&error).map_or(String::new(), |why| format!(": {why}"));
            Status::invalid_argument(format!("{error}{why}"))
        };
        let mut endpoint = Endpoint::from_shared(self.url.clone()).map_err(refused)?;
        if endpoint.uri().scheme().is_none() || endpoint.uri().host().is_none() {
            let why = format!("{:?} is not a URL such as http://127.0.0.1:50051", self.url);
            return Err(Status::invalid_argument(why).into());
        }
        if let Some(tls) = self.tls {
            endpoint = endpoint.tls_config(tls).map_err(refused)?;
        } else if endpoint.uri().scheme_str() == Some("https") {
            let tls = ClientTlsConfig::new().with_enabled_roots();
            endpoint = endpoint.tls_config(tls).map_err(refused)?;
        }
        // The service, or a proxy before it, may have forgotten an idle connection.
        let endpoint = endpoint
            .connect_timeout(Duration::from_secs(3))
            .http2_keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(5));
        Ok(Client {
            transport: Transport {
                channel: endpoint.connect_lazy(),
                tokens: self.tokens?,
                timeout: self.timeout,
                attempts: self.attempts,
                first_pause: self.first_pause,
            },
        })
    }
}
