//! EventService.

use tonic::{Request, Response, Status};

use super::convert::{call_in, event, event_state, opt_time, rule_id};
use crate::{
    domain::{Error, EventFilter, EventId, EventType, Invalid, Username},
    ops::{Call, events},
    page_token,
    proto::{self, event_service_server::EventService},
};

pub(super) struct EventApi;

#[tonic::async_trait]
impl EventService for EventApi {
    async fn list_events(
        &self,
        request: Request<proto::ListEventsRequest>,
    ) -> Result<Response<proto::ListEventsResponse>, Status> {
        let (call, message) = call_in(request, |message| &message.app_key).await?;
        let size = call.core.bounds.event_pages.choose(message.page_size)?;
        let filter = filter(&call, &message)?;
        let tokens = page_token::events(call.app.id, &filter);
        let before = tokens.read(&message.page_token)?;
        let page = events::list(&call, &filter, &before, size).await?;
        Ok(Response::new(proto::ListEventsResponse {
            events: page.items.into_iter().map(event).collect(),
            next_page_token: tokens.write(page.next),
        }))
    }

    async fn get_event(
        &self,
        request: Request<proto::GetEventRequest>,
    ) -> Result<Response<proto::GetEventResponse>, Status> {
        let (call, message) = call_in(request, |message| &message.app_key).await?;
        let (found, attempts) = events::get(&call, event_id(message.event_id)?).await?;
        Ok(Response::new(proto::GetEventResponse {
            event: Some(event(found)),
            attempts: attempts.into_iter().map(proto::DeliveryAttempt::from).collect(),
        }))
    }

    async fn retry_event(
        &self,
        request: Request<proto::RetryEventRequest>,
    ) -> Result<Response<proto::RetryEventResponse>, Status> {
        let (call, message) = call_in(request, |message| &message.app_key).await?;
        let retried = events::retry(&call, event_id(message.event_id)?).await?;
        Ok(Response::new(proto::RetryEventResponse { event: Some(event(retried)) }))
    }

    async fn retry_failed_events(
        &self,
        request: Request<proto::RetryFailedEventsRequest>,
    ) -> Result<Response<proto::RetryFailedEventsResponse>, Status> {
        let (call, message) = call_in(request, |message| &message.app_key).await?;
        let rule_id = rule_id(&message.rule_id)?;
        let (start, end) = (message.start_time, message.end_time);
        let range = (opt_time("start_time", start)?, opt_time("end_time", end)?);
        let retried = events::retry_failed(&call, rule_id, range).await?;
        Ok(Response::new(proto::RetryFailedEventsResponse {
            retried_count: i32::try_from(retried).unwrap_or(i32::MAX),
        }))
    }
}

/// Reads the id of an event. A text that is no id names no event.
fn event_id(text: String) -> Result<EventId, Error> {
    // The error repeats the text in a header of the response, which must not become too large. Real ids
    // are shorter.
    const SHOWN: usize = 128;
    EventId::parse(&text).ok_or_else(|| Error::EventNotFound(text.chars().take(SHOWN).collect()))
}

fn filter(call: &Call, message: &proto::ListEventsRequest) -> Result<EventFilter, Invalid> {
    let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(EventFilter {
        rule_id: given(&message.rule_id).map(|id| rule_id(&id)).transpose()?,
        owner: given(&message.owner)
            .map(|name| Ok(call.key(&Username::parse("owner", &name)?)))
            .transpose()?,
        event_type: given(&message.event_type)
            .map(|name| EventType::parse("event_type", &name))
            .transpose()?,
        state: event_state(message.state)?,
        from: opt_time("start_time", message.start_time)?,
        to: opt_time("end_time", message.end_time)?,
    })
}
