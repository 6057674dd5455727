//! AppService. The gate has checked the operator's token.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::{
    callback_rules::{change, choice, render, secret, which},
    convert::{duration, limits_change},
    gate::deadline_of,
};
use crate::{
    delivery::WebhookClient,
    domain::{AppKey, CredentialsChange},
    ops::{
        Core,
        access::{apps, callback_rules},
    },
    page_token,
    proto::{self, app_service_server::AppService},
};

pub(super) struct AppApi {
    pub(super) core: Arc<Core>,
    pub(super) webhook_client: Arc<WebhookClient>,
}

/// How much of a caller's time is kept for the response when the receiver does not respond.
const TELLING: Duration = Duration::from_millis(500);

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
        let (app, secret) = apps::create(&self.core, deadline, &key, limits).await?;
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
        let app = apps::get(&self.core, &key).await?;
        Ok(Response::new(proto::GetAppResponse { app: Some(app.into()) }))
    }

    async fn list_apps(
        &self,
        request: Request<proto::ListAppsRequest>,
    ) -> Result<Response<proto::ListAppsResponse>, Status> {
        let message = request.into_inner();
        let size = self.core.bounds.app_pages.choose(message.page_size)?;
        let tokens = page_token::apps();
        let after = tokens.read(&message.page_token)?;
        let page = apps::list(&self.core, &after, size).await?;
        Ok(Response::new(proto::ListAppsResponse {
            apps: page.items.into_iter().map(proto::App::from).collect(),
            next_page_token: tokens.write(page.next),
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
        let app = apps::update(&self.core, deadline, &key, change).await?;
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
            apps::rotate_secret(&self.core, deadline, &key, message.revoke_tokens).await?;
        Ok(Response::new(proto::RotateSecretResponse {
            app: Some(app.into()),
            client_secret: secret.reveal().to_owned(),
        }))
    }

    async fn set_credentials(
        &self,
        request: Request<proto::SetCredentialsRequest>,
    ) -> Result<Response<proto::SetCredentialsResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let key = AppKey::parse("app_key", &message.app_key)?;
        let change = CredentialsChange::parse(
            (&message.client_id, &message.client_secret),
            (&message.netease_app_key, &message.netease_app_secret),
            message.remove_netease,
        )?;
        let app = apps::set_credentials(&self.core, deadline, &key, &change).await?;
        Ok(Response::new(proto::SetCredentialsResponse { app: Some(app.into()) }))
    }

    async fn delete_app(
        &self,
        request: Request<proto::DeleteAppRequest>,
    ) -> Result<Response<proto::DeleteAppResponse>, Status> {
        let deadline = deadline_of(&request);
        let key = AppKey::parse("app_key", &request.get_ref().app_key)?;
        apps::delete(&self.core, deadline, &key).await?;
        Ok(Response::new(proto::DeleteAppResponse {}))
    }

    async fn create_callback_rule(
        &self,
        request: Request<proto::CreateCallbackRuleRequest>,
    ) -> Result<Response<proto::CreateCallbackRuleResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let key = AppKey::parse("app_key", &message.app_key)?;
        let (choice, secret) = (choice(&message)?, secret(&message.secret)?);
        let rule = callback_rules::create(&self.core, deadline, &key, choice, secret).await?;
        Ok(Response::new(proto::CreateCallbackRuleResponse {
            secret: rule.secret.reveal().to_owned(),
            rule: Some(render(rule, &key)),
        }))
    }

    async fn get_callback_rule(
        &self,
        request: Request<proto::GetCallbackRuleRequest>,
    ) -> Result<Response<proto::GetCallbackRuleResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        let rule = callback_rules::get(&self.core, deadline, &key, rule_id).await?;
        Ok(Response::new(proto::GetCallbackRuleResponse { rule: Some(render(rule, &key)) }))
    }

    async fn list_callback_rules(
        &self,
        request: Request<proto::ListCallbackRulesRequest>,
    ) -> Result<Response<proto::ListCallbackRulesResponse>, Status> {
        let deadline = deadline_of(&request);
        let key = AppKey::parse("app_key", &request.get_ref().app_key)?;
        let rules = callback_rules::list(&self.core, deadline, &key).await?;
        Ok(Response::new(proto::ListCallbackRulesResponse {
            rules: rules.into_iter().map(|rule| render(rule, &key)).collect(),
        }))
    }

    async fn update_callback_rule(
        &self,
        request: Request<proto::UpdateCallbackRuleRequest>,
    ) -> Result<Response<proto::UpdateCallbackRuleResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        let change = change(&message)?;
        let rule = callback_rules::update(&self.core, deadline, &key, rule_id, change).await?;
        Ok(Response::new(proto::UpdateCallbackRuleResponse { rule: Some(render(rule, &key)) }))
    }

    async fn delete_callback_rule(
        &self,
        request: Request<proto::DeleteCallbackRuleRequest>,
    ) -> Result<Response<proto::DeleteCallbackRuleResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        callback_rules::delete(&self.core, deadline, &key, rule_id).await?;
        Ok(Response::new(proto::DeleteCallbackRuleResponse {}))
    }

    async fn rotate_callback_secret(
        &self,
        request: Request<proto::RotateCallbackSecretRequest>,
    ) -> Result<Response<proto::RotateCallbackSecretResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        let secret = secret(&message.secret)?;
        let grace = match message.grace {
            None => time::Duration::DAY,
            Some(grace) => duration("grace", grace)?.try_into().unwrap_or(time::Duration::MAX),
        };
        let rule =
            callback_rules::rotate_secret(&self.core, deadline, &key, rule_id, secret, grace)
                .await?;
        Ok(Response::new(proto::RotateCallbackSecretResponse {
            secret: rule.secret.reveal().to_owned(),
            rule: Some(render(rule, &key)),
        }))
    }

    async fn test_callback_rule(
        &self,
        request: Request<proto::TestCallbackRuleRequest>,
    ) -> Result<Response<proto::TestCallbackRuleResponse>, Status> {
        let deadline = deadline_of(&request);
        let message = request.into_inner();
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        let rule = callback_rules::get(&self.core, deadline, &key, rule_id).await?;
        let event = callback_rules::test_event(&self.core, &rule);
        let now = self.core.clock.now();
        // If the receiver does not respond, the call must end before its deadline, to report that.
        let at_most = deadline.saturating_duration_since(Instant::now()).saturating_sub(TELLING);
        let result = self.webhook_client.send(&rule, key.as_str(), &event, now, at_most).await;
        let attempt = Some(result.attempt(now).into());
        Ok(Response::new(proto::TestCallbackRuleResponse { attempt }))
    }
}
