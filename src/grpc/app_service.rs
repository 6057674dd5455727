//! AppService. The gate has checked the operator's token and role.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    convert::{UpdateMask, limits_change},
    gate,
};
use crate::{
    domain::{AppKey, AppLimits, AppLimitsChange, CredentialsChange, Invalid},
    ops::{Core, access::apps},
    page_token,
    proto::{self, app_service_server::AppService},
};

pub(super) struct AppApi(pub(super) Arc<Core>);

#[tonic::async_trait]
impl AppService for AppApi {
    async fn create_app(
        &self,
        request: Request<proto::CreateAppRequest>,
    ) -> Result<Response<proto::CreateAppResponse>, Status> {
        let (call, message) = gate::operator_call(request)?;
        let key = AppKey::parse("app_key", &message.app_key)?;
        let limits = limits_change(message.limits);
        let (app, secret) = apps::create(&call, &key, limits, |_, _| Ok(())).await?;
        Ok(Response::new(proto::CreateAppResponse {
            app: Some(app.into()),
            client_secret: secret.reveal().to_owned(),
        }))
    }

    async fn get_app(
        &self,
        request: Request<proto::GetAppRequest>,
    ) -> Result<Response<proto::GetAppResponse>, Status> {
        gate::start(&request)?;
        let key = AppKey::parse("app_key", &request.get_ref().app_key)?;
        let app = apps::get(&self.0, &key).await?;
        Ok(Response::new(proto::GetAppResponse { app: Some(app.into()) }))
    }

    async fn list_apps(
        &self,
        request: Request<proto::ListAppsRequest>,
    ) -> Result<Response<proto::ListAppsResponse>, Status> {
        gate::start(&request)?;
        let message = request.into_inner();
        let size = self.0.bounds.app_pages.choose(message.page_size)?;
        let tokens = page_token::apps();
        let after = tokens.read(&message.page_token)?;
        let page = apps::list(&self.0, &after, size).await?;
        Ok(Response::new(proto::ListAppsResponse {
            apps: page.items.into_iter().map(proto::App::from).collect(),
            next_page_token: tokens.write(page.next),
        }))
    }

    async fn update_app(
        &self,
        request: Request<proto::UpdateAppRequest>,
    ) -> Result<Response<proto::UpdateAppResponse>, Status> {
        let (call, message) = gate::operator_call(request)?;
        let key = AppKey::parse("app_key", &message.app_key)?;
        let change = update(&message)?;
        let app = apps::update(&call, &key, change).await?;
        Ok(Response::new(proto::UpdateAppResponse { app: Some(app.into()) }))
    }

    async fn rotate_client_secret(
        &self,
        request: Request<proto::RotateClientSecretRequest>,
    ) -> Result<Response<proto::RotateClientSecretResponse>, Status> {
        let (call, message) = gate::operator_call(request)?;
        let key = AppKey::parse("app_key", &message.app_key)?;
        let (app, secret) =
            apps::rotate_secret(&call, &key, message.revoke_tokens, |_, _| Ok(())).await?;
        Ok(Response::new(proto::RotateClientSecretResponse {
            app: Some(app.into()),
            client_secret: secret.reveal().to_owned(),
        }))
    }

    async fn set_credentials(
        &self,
        request: Request<proto::SetCredentialsRequest>,
    ) -> Result<Response<proto::SetCredentialsResponse>, Status> {
        let (call, message) = gate::operator_call(request)?;
        let key = AppKey::parse("app_key", &message.app_key)?;
        let change = CredentialsChange::parse(
            (&message.client_id, &message.client_secret),
            (&message.netease_app_key, &message.netease_app_secret),
            message.remove_netease_credentials,
        )?;
        let app = apps::set_credentials(&call, &key, &change).await?;
        Ok(Response::new(proto::SetCredentialsResponse { app: Some(app.into()) }))
    }

    async fn delete_app(
        &self,
        request: Request<proto::DeleteAppRequest>,
    ) -> Result<Response<proto::DeleteAppResponse>, Status> {
        let (call, message) = gate::operator_call(request)?;
        let key = AppKey::parse("app_key", &message.app_key)?;
        apps::delete(&call, &key).await?;
        Ok(Response::new(proto::DeleteAppResponse {}))
    }
}

/// Reads which limits to change, and to what. A limit that the mask names and the message lacks goes
/// back to its default.
fn update(message: &proto::UpdateAppRequest) -> Result<AppLimitsChange, Invalid> {
    const FIELDS: &[&str] =
        &["limits", "limits.friend_limit", "limits.block_limit", "limits.requests_per_second"];
    let mask = UpdateMask::read(message.update_mask.as_ref(), FIELDS)?;
    let (given, default) = (limits_change(message.limits), AppLimits::default());
    let chosen = |path: &str, given: Option<i32>, default: i32| mask.choose(path, given, default);
    Ok(AppLimitsChange {
        friend_limit: chosen("limits.friend_limit", given.friend_limit, default.friend_limit),
        block_limit: chosen("limits.block_limit", given.block_limit, default.block_limit),
        requests_per_second: chosen(
            "limits.requests_per_second",
            given.requests_per_second,
            default.requests_per_second,
        ),
    })
}
