//! TokenService.

use std::{sync::Arc, time::Duration};

use tonic::{Request, Response, Status};

use super::{
    convert::{app_call, duration},
    gate::{address, start},
};
use crate::{
    domain::{Error, Secret},
    gate::bearer,
    ops::{Core, access::tokens},
    proto::{self, token_service_server::TokenService},
};

pub(super) struct TokenApi(pub(super) Arc<Core>);

#[tonic::async_trait]
impl TokenService for TokenApi {
    async fn issue_token(
        &self,
        request: Request<proto::IssueTokenRequest>,
    ) -> Result<Response<proto::IssueTokenResponse>, Status> {
        let (deadline, from) = (start(&request)?, address(request.extensions()));
        let message = request.into_inner();
        let ttl = message.ttl.map_or(Ok(Duration::ZERO), |ttl| duration("ttl", ttl))?;
        let secret = Secret::presented(&message.client_secret);
        let shown = (message.client_id.as_str(), &secret);
        let issued = tokens::issue(&self.0, deadline, from, None, shown, ttl).await?;
        Ok(Response::new(proto::IssueTokenResponse {
            access_token: issued.token.reveal().to_owned(),
            expires_in: issued.expires_in.try_into().ok(),
            app_uuid: issued.app_id.to_string(),
        }))
    }

    async fn revoke_token(
        &self,
        request: Request<proto::RevokeTokenRequest>,
    ) -> Result<Response<proto::RevokeTokenResponse>, Status> {
        let own = bearer(request.metadata().as_ref());
        let (call, message) = app_call(request)?;
        let token = match message.access_token.as_str() {
            "" => own.ok_or(Error::Unauthenticated)?,
            other => Secret::presented(other),
        };
        tokens::revoke(&call, &token).await?;
        Ok(Response::new(proto::RevokeTokenResponse {}))
    }
}
