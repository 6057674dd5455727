//! OperatorTokenService. The gate has checked the operator's token and role.

use std::{sync::Arc, time::Duration};

use tonic::{Request, Response, Status};

use super::{
    convert::{duration, timestamp},
    gate::{operator_call, start},
};
use crate::{
    domain::{Invalid, OperatorName, OperatorToken, Role},
    ops::{Core, access::operator_tokens},
    page_token,
    proto::{self, operator_token_service_server::OperatorTokenService},
};

pub(super) struct OperatorTokenApi(pub(super) Arc<Core>);

#[tonic::async_trait]
impl OperatorTokenService for OperatorTokenApi {
    async fn create_operator_token(
        &self,
        request: Request<proto::CreateOperatorTokenRequest>,
    ) -> Result<Response<proto::CreateOperatorTokenResponse>, Status> {
        let (call, message) = operator_call(request)?;
        let name = OperatorName::parse("name", &message.name)?;
        let role = role(message.role)?;
        let ttl = message.ttl.map_or(Ok(Duration::ZERO), |ttl| duration("ttl", ttl))?;
        let (token, secret) =
            operator_tokens::create(&call, &name, role, ttl, |_, _| Ok(())).await?;
        Ok(Response::new(proto::CreateOperatorTokenResponse {
            operator_token: Some(render(token)),
            access_token: secret.reveal().to_owned(),
        }))
    }

    async fn list_operator_tokens(
        &self,
        request: Request<proto::ListOperatorTokensRequest>,
    ) -> Result<Response<proto::ListOperatorTokensResponse>, Status> {
        start(&request)?;
        let message = request.into_inner();
        let size = self.0.bounds.operator_token_pages.choose(message.page_size)?;
        let tokens = page_token::operator_tokens();
        let after = tokens.read(&message.page_token)?;
        let page = operator_tokens::list(&self.0, &after, size).await?;
        Ok(Response::new(proto::ListOperatorTokensResponse {
            operator_tokens: page.items.into_iter().map(render).collect(),
            next_page_token: tokens.write(page.next),
        }))
    }

    async fn revoke_operator_token(
        &self,
        request: Request<proto::RevokeOperatorTokenRequest>,
    ) -> Result<Response<proto::RevokeOperatorTokenResponse>, Status> {
        let (call, message) = operator_call(request)?;
        let name = OperatorName::parse("name", &message.name)?;
        operator_tokens::revoke(&call, &name).await?;
        Ok(Response::new(proto::RevokeOperatorTokenResponse {}))
    }
}

fn role(number: i32) -> Result<Role, Invalid> {
    match proto::OperatorRole::try_from(number) {
        Ok(proto::OperatorRole::ReadOnly) => Ok(Role::ReadOnly),
        Ok(proto::OperatorRole::Support) => Ok(Role::Support),
        Ok(proto::OperatorRole::Admin) => Ok(Role::Admin),
        Ok(proto::OperatorRole::Unspecified) | Err(_) => {
            Err(Invalid::argument("role", "must be READ_ONLY, SUPPORT or ADMIN"))
        }
    }
}

fn render(token: OperatorToken) -> proto::OperatorToken {
    let role = match token.role {
        Role::ReadOnly => proto::OperatorRole::ReadOnly,
        Role::Support => proto::OperatorRole::Support,
        Role::Admin => proto::OperatorRole::Admin,
    };
    proto::OperatorToken {
        name: token.name.as_str().to_owned(),
        role: role.into(),
        create_time: timestamp(token.created_at),
        expire_time: token.expires_at.and_then(timestamp),
    }
}
