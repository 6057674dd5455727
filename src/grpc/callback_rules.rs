//! The part of AppService that is about callback rules: its messages to domain values and back.

use tonic::Status;
use uuid::Uuid;

use super::convert::timestamp;
use crate::{
    delivery::check_authorities,
    domain::{
        AppKey, BodyFormat, CallbackRule, CallbackUrl, EventType, Invalid, RuleChange, RuleChoice,
        SigningSecret,
    },
    proto,
};

/// Reads which rule of which app a request is about.
pub(super) fn which(app_key: &str, rule_id: &str) -> Result<(AppKey, Uuid), Status> {
    let key = AppKey::parse("app_key", app_key)?;
    let rule_id =
        Uuid::try_parse(rule_id).map_err(|_| Invalid::argument("rule_id", "must be a uuid"))?;
    Ok((key, rule_id))
}

/// Reads a new rule.
pub(super) fn choice(message: &proto::CreateCallbackRuleRequest) -> Result<RuleChoice, Invalid> {
    Ok(RuleChoice {
        url: CallbackUrl::parse("url", &message.url)?,
        event_types: event_types("event_types", &message.event_types)?,
        body_format: body_format(message.body_format)?.unwrap_or(BodyFormat::Standard),
        ca_certificates: authorities(&message.ca_certificates)?,
    })
}

/// Reads a change of a rule.
pub(super) fn change(message: &proto::UpdateCallbackRuleRequest) -> Result<RuleChange, Invalid> {
    let url = message.url.as_deref().map(|url| CallbackUrl::parse("url", url));
    let types = message.event_types.as_ref();
    let types = types.map(|types| event_types("event_types.types", &types.types));
    Ok(RuleChange {
        url: url.transpose()?,
        event_types: types.transpose()?,
        body_format: body_format(message.body_format)?,
        enabled: message.enabled,
        ca_certificates: message.ca_certificates.as_deref().map(authorities).transpose()?,
    })
}

/// Reads a secret of the caller's choice; `None` for an empty one, in whose place one is generated.
pub(super) fn secret(text: &str) -> Result<Option<SigningSecret>, Invalid> {
    (!text.is_empty()).then(|| SigningSecret::parse("secret", text)).transpose()
}

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

fn body_format(number: i32) -> Result<Option<BodyFormat>, Invalid> {
    match proto::BodyFormat::try_from(number) {
        Ok(proto::BodyFormat::Unspecified) => Ok(None),
        Ok(proto::BodyFormat::Standard) => Ok(Some(BodyFormat::Standard)),
        Ok(proto::BodyFormat::Easemob) => Ok(Some(BodyFormat::Easemob)),
        Err(_) => Err(Invalid::argument("body_format", "must be one of the enum's values")),
    }
}

fn authorities(pem: &str) -> Result<String, Invalid> {
    const MAX_BYTES: usize = 64 * 1024;
    if pem.len() > MAX_BYTES || pem.contains('\0') {
        return Err(Invalid::argument("ca_certificates", "must be PEM of at most 64 KiB"));
    }
    check_authorities(pem).map_err(|why| Invalid::argument("ca_certificates", why))?;
    Ok(pem.to_owned())
}

/// A rule as callers see it: without its secret.
pub(super) fn render(rule: CallbackRule, app_key: &AppKey) -> proto::CallbackRule {
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
