//! AppService. The gate has checked the operator's token.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{convert::limits_change, gate::deadline_of};
use crate::{
    domain::AppKey,
    ops::{Core, apps},
    page_token::{self, Binding},
    proto::{self, app_service_server::AppService},
};

pub(super) struct AppApi(pub(super) Arc<Core>);

/// Where pages of apps are bound to: they have no app and no owner.
const LIST: Binding<'static> = Binding { call: "AppService/ListApps", app: None, owner: "" };

#[tonic::async_trait]
impl AppService for AppApi {
    async fn create_app(
        &self,
        request: Request<proto::CreateAppRequest>,
    ) -> Result<Response<proto::CreateAppResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let key = AppKey::parse("app_key", &message.app_key)?;
        let limits = limits_change(message.limits);
        let (app, secret) = apps::create(&self.0, deadline, &key, limits).await?;
        Ok(Response::new(proto::CreateAppResponse {
            app: Some(app.into()),
            client_secret: secret.reveal().to_owned(),
        }))
    }

    async fn get_app(
        &self,
        request: Request<proto::GetAppRequest>,
    ) -> Result<Response<proto::GetAppResponse>, Status> {
        let key = AppKey::parse("app_key", &request.get_ref().app_key)?;
        let app = apps::get(&self.0, &key).await?;
        Ok(Response::new(proto::GetAppResponse { app: Some(app.into()) }))
    }

    async fn list_apps(
        &self,
        request: Request<proto::ListAppsRequest>,
    ) -> Result<Response<proto::ListAppsResponse>, Status> {
        let message = request.into_inner();
        let size = self.0.bounds.app_pages.choose(message.page_size)?;
        let after: String = page_token::read(LIST, &message.page_token)?;
        let page = apps::list(&self.0, &after, size).await?;
        Ok(Response::new(proto::ListAppsResponse {
            apps: page.items.into_iter().map(proto::App::from).collect(),
            next_page_token: page_token::write(LIST, page.next),
        }))
    }

    async fn update_app(
        &self,
        request: Request<proto::UpdateAppRequest>,
    ) -> Result<Response<proto::UpdateAppResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let key = AppKey::parse("app_key", &message.app_key)?;
        let change = limits_change(message.limits);
        let app = apps::update(&self.0, deadline, &key, change).await?;
        Ok(Response::new(proto::UpdateAppResponse { app: Some(app.into()) }))
    }

    async fn rotate_secret(
        &self,
        request: Request<proto::RotateSecretRequest>,
    ) -> Result<Response<proto::RotateSecretResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let key = AppKey::parse("app_key", &message.app_key)?;
        let (app, secret) =
            apps::rotate_secret(&self.0, deadline, &key, message.revoke_tokens).await?;
        Ok(Response::new(proto::RotateSecretResponse {
            app: Some(app.into()),
            client_secret: secret.reveal().to_owned(),
        }))
    }

    async fn delete_app(
        &self,
        request: Request<proto::DeleteAppRequest>,
    ) -> Result<Response<proto::DeleteAppResponse>, Status> {
        let deadline = deadline_of(&request);
        let key = AppKey::parse("app_key", &request.get_ref().app_key)?;
        apps::delete(&self.0, deadline, &key).await?;
        Ok(Response::new(proto::DeleteAppResponse {}))
    }
}
