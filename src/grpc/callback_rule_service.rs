//! CallbackRuleService. The gate has checked the operator's token and role.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::{
    convert::{self, UpdateMask, duration, timestamp},
    gate,
};
use crate::{
    delivery::{WebhookClient, check_authorities},
    domain::{
        AppKey, BodyFormat, CallbackRule, CallbackUrl, EventType, Invalid, RuleChange, RuleChoice,
        SigningSecret,
    },
    ops::{Core, access::callback_rules},
    proto::{self, callback_rule_service_server::CallbackRuleService},
};

pub(super) struct CallbackRuleApi {
    pub(super) core: Arc<Core>,
    pub(super) webhook_client: Arc<WebhookClient>,
}

/// How much of a caller's time is kept for the response when the receiver does not respond.
const REPORTING: Duration = Duration::from_millis(500);

#[tonic::async_trait]
impl CallbackRuleService for CallbackRuleApi {
    async fn create_callback_rule(
        &self,
        request: Request<proto::CreateCallbackRuleRequest>,
    ) -> Result<Response<proto::CreateCallbackRuleResponse>, Status> {
        let (call, message) = gate::operator_call(request)?;
        let key = AppKey::parse("app_key", &message.app_key)?;
        let (choice, secret) = (choice(&message)?, signing_secret(&message.signing_secret)?);
        let rule = callback_rules::create(&call, &key, choice, secret, |_| Ok(())).await?;
        Ok(Response::new(proto::CreateCallbackRuleResponse {
            signing_secret: rule.secret.reveal().to_owned(),
            rule: Some(render(rule, &key)),
        }))
    }

    async fn get_callback_rule(
        &self,
        request: Request<proto::GetCallbackRuleRequest>,
    ) -> Result<Response<proto::GetCallbackRuleResponse>, Status> {
        let deadline = gate::start(&request)?;
        let message = request.into_inner();
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        let rule = callback_rules::get(&self.core, deadline, &key, rule_id).await?;
        Ok(Response::new(proto::GetCallbackRuleResponse { rule: Some(render(rule, &key)) }))
    }

    async fn list_callback_rules(
        &self,
        request: Request<proto::ListCallbackRulesRequest>,
    ) -> Result<Response<proto::ListCallbackRulesResponse>, Status> {
        let deadline = gate::start(&request)?;
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
        let (call, message) = gate::operator_call(request)?;
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        let change = change(&message)?;
        let rule = callback_rules::update(&call, &key, rule_id, change).await?;
        Ok(Response::new(proto::UpdateCallbackRuleResponse { rule: Some(render(rule, &key)) }))
    }

    async fn delete_callback_rule(
        &self,
        request: Request<proto::DeleteCallbackRuleRequest>,
    ) -> Result<Response<proto::DeleteCallbackRuleResponse>, Status> {
        let (call, message) = gate::operator_call(request)?;
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        callback_rules::delete(&call, &key, rule_id).await?;
        Ok(Response::new(proto::DeleteCallbackRuleResponse {}))
    }

    async fn rotate_signing_secret(
        &self,
        request: Request<proto::RotateSigningSecretRequest>,
    ) -> Result<Response<proto::RotateSigningSecretResponse>, Status> {
        let (call, message) = gate::operator_call(request)?;
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        let secret = signing_secret(&message.signing_secret)?;
        let grace = match message.grace_period {
            None => time::Duration::DAY,
            Some(grace) => {
                duration("grace_period", grace)?.try_into().unwrap_or(time::Duration::MAX)
            }
        };
        let rule = callback_rules::rotate_secret(&call, &key, rule_id, secret, grace).await?;
        Ok(Response::new(proto::RotateSigningSecretResponse {
            signing_secret: rule.secret.reveal().to_owned(),
            rule: Some(render(rule, &key)),
        }))
    }

    async fn test_callback_rule(
        &self,
        request: Request<proto::TestCallbackRuleRequest>,
    ) -> Result<Response<proto::TestCallbackRuleResponse>, Status> {
        let deadline = gate::start(&request)?;
        let message = request.into_inner();
        let (key, rule_id) = which(&message.app_key, &message.rule_id)?;
        let rule = callback_rules::get(&self.core, deadline, &key, rule_id).await?;
        let event = callback_rules::test_event(&self.core, &rule);
        let now = self.core.clock.now();
        // If the receiver does not respond, the call must end before its deadline, to report that.
        let at_most = deadline.saturating_duration_since(Instant::now()).saturating_sub(REPORTING);
        let result = self.webhook_client.send(&rule, key.as_str(), &event, now, at_most).await;
        let attempt = Some(result.attempt(now).into());
        Ok(Response::new(proto::TestCallbackRuleResponse { attempt }))
    }
}

/// Reads which rule of which app a request is about.
fn which(app_key: &str, rule_id: &str) -> Result<(AppKey, Uuid), Status> {
    let key = AppKey::parse("app_key", app_key)?;
    Ok((key, convert::rule_id(rule_id)?))
}

/// Reads a new rule.
fn choice(message: &proto::CreateCallbackRuleRequest) -> Result<RuleChoice, Invalid> {
    Ok(RuleChoice {
        url: CallbackUrl::parse("url", &message.url)?,
        event_types: event_types("event_types", &message.event_types)?,
        body_format: body_format(message.body_format)?,
        ca_certificates: ca_certificates(&message.ca_certificates)?,
    })
}

/// Reads which fields of a rule to change, and to what.
fn change(message: &proto::UpdateCallbackRuleRequest) -> Result<RuleChange, Invalid> {
    const FIELDS: &[&str] = &["url", "event_types", "body_format", "enabled", "ca_certificates"];
    let mask = UpdateMask::read(message.update_mask.as_ref(), FIELDS)?;
    let types = Some(message.event_types.as_slice()).filter(|types| !types.is_empty());
    let url = mask.choose("url", message.url.as_deref(), "");
    let types = mask.choose("event_types", types, &[]);
    let format = mask.choose("body_format", message.body_format, 0);
    let authorities = mask.choose("ca_certificates", message.ca_certificates.as_deref(), "");
    Ok(RuleChange {
        url: url.map(|url| CallbackUrl::parse("url", url)).transpose()?,
        event_types: types.map(|types| event_types("event_types", types)).transpose()?,
        body_format: format.map(body_format).transpose()?,
        enabled: mask.choose("enabled", message.enabled, false),
        ca_certificates: authorities.map(ca_certificates).transpose()?,
    })
}

/// Reads a secret of the caller's choice; `None` for an empty one, in whose place one is generated.
fn signing_secret(text: &str) -> Result<Option<SigningSecret>, Invalid> {
    (!text.is_empty()).then(|| SigningSecret::parse("signing_secret", text)).transpose()
}

/// Reads types of events, each once; an empty list stands for all types.
fn event_types(field: &str, names: &[String]) -> Result<Vec<EventType>, Invalid> {
    if names.is_empty() {
        return Ok(EventType::wanted().collect());
    }
    let mut types = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let event_type = EventType::parse(format_args!("{field}[{at}]"), name)?;
        if !types.contains(&event_type) {
            types.push(event_type);
        }
    }
    Ok(types)
}

/// Reads the form of a body; unspecified stands for the standard one.
fn body_format(number: i32) -> Result<BodyFormat, Invalid> {
    match proto::BodyFormat::try_from(number) {
        Ok(proto::BodyFormat::Unspecified | proto::BodyFormat::Standard) => {
            Ok(BodyFormat::Standard)
        }
        Ok(proto::BodyFormat::Easemob) => Ok(BodyFormat::Easemob),
        Err(_) => Err(Invalid::argument("body_format", "must be one of the enum's values")),
    }
}

fn ca_certificates(pem: &str) -> Result<String, Invalid> {
    check_authorities(pem).map_err(|why| Invalid::argument("ca_certificates", why))?;
    Ok(pem.to_owned())
}

/// A rule as callers see it: without its secret.
fn render(rule: CallbackRule, app_key: &AppKey) -> proto::CallbackRule {
    let body_format = match rule.body_format {
        BodyFormat::Standard => proto::BodyFormat::Standard,
        BodyFormat::Easemob => proto::BodyFormat::Easemob,
    };
    proto::CallbackRule {
        rule_id: rule.id.to_string(),
        app_key: app_key.to_string(),
        url: rule.url.to_string(),
        event_types: rule.event_types.iter().map(|t| t.as_str().to_owned()).collect(),
        body_format: body_format.into(),
        enabled: rule.enabled,
        disabled_reason: rule.disabled_reason,
        ca_certificates: rule.ca_certificates,
        create_time: timestamp(rule.created_at),
        update_time: timestamp(rule.modified_at),
    }
}
