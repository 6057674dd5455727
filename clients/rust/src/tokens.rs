//! The token that calls are made with.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};
use tonic::{Status, transport::Channel};

use crate::proto::{IssueTokenRequest, token_service_client::TokenServiceClient};

/// How long it may take to fetch a token: a watch has no deadline, and other calls wait for the same token.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where the token comes from.
#[derive(Clone)]
pub(crate) enum Tokens {
    /// Calls are made without one.
    None,
    /// The same token for all calls.
    Fixed(HeaderValue),
    /// Tokens that the service issues for an app's credentials.
    Issued(Arc<Issued>),
}

/// Tokens for an app's credentials, renewed before they expire.
pub(crate) struct Issued {
    client_id: String,
    client_secret: String,
    /// Held while a token is fetched, so that calls that need one at once wait for the same.
    current: Mutex<Option<Token>>,
}

struct Token {
    header: HeaderValue,
    /// From then on another is fetched.
    renew: Instant,
}

impl Tokens {
    pub fn issued(client_id: String, client_secret: String) -> Self {
        Self::Issued(Arc::new(Issued { client_id, client_secret, current: Mutex::new(None) }))
    }

    /// Whether calls are made without a token.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The value of the `authorization` header for the next call.
    pub async fn header(&self, channel: &Channel) -> Result<Option<HeaderValue>, Status> {
        match self {
            Self::None => Ok(None),
            Self::Fixed(header) => Ok(Some(header.clone())),
            Self::Issued(issued) => issued.header(channel).await.map(Some),
        }
    }

    /// The service has refused this token. Returns whether another can be had.
    pub fn refused(&self, header: &HeaderValue) -> bool {
        let Self::Issued(issued) = self else { return false };
        // Another call may have fetched a new one meanwhile, or be fetching one.
        if let Ok(mut current) = issued.current.try_lock()
            && current.as_ref().is_some_and(|token| token.header == *header)
        {
            *current = None;
        }
        true
    }
}

impl Issued {
    async fn header(&self, channel: &Channel) -> Result<HeaderValue, Status> {
        let mut current = self.current.lock().await;
        if let Some(token) = &*current
            && Instant::now() < token.renew
        {
            return Ok(token.header.clone());
        }
        let request = IssueTokenRequest {
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            ttl: None,
        };
        let asked = Instant::now();
        let mut service = TokenServiceClient::new(channel.clone());
        let issued = timeout(TIMEOUT, service.issue_token(request)).await;
        let issued = issued
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("no token came within 10 s")))?
            .into_inner();
        let life: Duration = issued.expires_in.unwrap_or_default().try_into().unwrap_or_default();
        let header = bearer(&issued.access_token)?;
        // Before its end, so that no call is under way with a token that expires.
        *current = Some(Token { header: header.clone(), renew: asked + life.mul_f64(0.8) });
        Ok(header)
    }
}

/// The header that shows a token.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, Status> {
    let header = HeaderValue::try_from(format!("Bearer {token}"));
    let mut header = header.map_err(|_| {
        Status::invalid_argument("the token has characters that no header may have")
    })?;
    header.set_sensitive(true);
    Ok(header)
}
