//! AuditService. The gate has checked the operator's token and role.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::{
    convert::{opt_time, timestamp},
    gate::start,
};
use crate::{
    domain::{ActorKind, AppKey, AuditEvent, AuditFilter, Invalid},
    ops::{Core, audits},
    page_token,
    proto::{self, audit_service_server::AuditService},
};

pub(super) struct AuditApi(pub(super) Arc<Core>);

#[tonic::async_trait]
impl AuditService for AuditApi {
    async fn list_audit_events(
        &self,
        request: Request<proto::ListAuditEventsRequest>,
    ) -> Result<Response<proto::ListAuditEventsResponse>, Status> {
        let deadline = start(&request)?;
        let message = request.into_inner();
        let size = self.0.bounds.audit_pages.choose(message.page_size)?;
        let filter = filter(&message)?;
        let tokens = page_token::audit_events(&filter);
        let before = tokens.read(&message.page_token)?;
        let page = audits::list(&self.0, deadline, &filter, &before, size).await?;
        Ok(Response::new(proto::ListAuditEventsResponse {
            audit_events: page.items.into_iter().map(render).collect(),
            next_page_token: tokens.write(page.next),
        }))
    }
}

fn filter(message: &proto::ListAuditEventsRequest) -> Result<AuditFilter, Invalid> {
    let app_key = Some(&message.app_key).filter(|key| !key.is_empty());
    Ok(AuditFilter {
        from: opt_time("start_time", message.start_time)?,
        to: opt_time("end_time", message.end_time)?,
        kind: kind(message.actor_kind)?,
        name: AuditFilter::text("actor_name", &message.actor_name)?,
        action: AuditFilter::text("action", &message.action)?,
        app: app_key.map(|key| AppKey::parse("app_key", key)).transpose()?,
    })
}

fn kind(number: i32) -> Result<Option<ActorKind>, Invalid> {
    match proto::ActorKind::try_from(number) {
        Ok(proto::ActorKind::Unspecified) => Ok(None),
        Ok(proto::ActorKind::Root) => Ok(Some(ActorKind::Root)),
        Ok(proto::ActorKind::Operator) => Ok(Some(ActorKind::Operator)),
        Ok(proto::ActorKind::Console) => Ok(Some(ActorKind::Console)),
        Ok(proto::ActorKind::App) => Ok(Some(ActorKind::App)),
        Err(_) => Err(Invalid::argument("actor_kind", "must be one of the enum's values")),
    }
}

fn render(event: AuditEvent) -> proto::AuditEvent {
    let kind = match event.author.kind {
        ActorKind::Root => proto::ActorKind::Root,
        ActorKind::Operator => proto::ActorKind::Operator,
        ActorKind::Console => proto::ActorKind::Console,
        ActorKind::App => proto::ActorKind::App,
    };
    let (app_uuid, app_key) =
        event.app.map(|(id, key)| (id.to_string(), key.to_string())).unwrap_or_default();
    proto::AuditEvent {
        audit_event_id: event.id.to_string(),
        create_time: timestamp(event.created_at),
        actor_kind: kind.into(),
        actor_name: event.author.name,
        origin: event.author.origin,
        action: event.action,
        app_uuid,
        app_key,
        target: event.target,
        before: event.before,
        after: event.after,
    }
}
