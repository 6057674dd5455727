//! Opening and ending a friend request: the one place of these rules. Why a request can't be sent or
//! accepted is decided in `ops::requests`.
//!
//! A request that was not answered in time is overdue. An overdue request counts as expired from that
//! moment on, whether the background work has noted it or not.

use sqlx::PgConnection;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::list_changes::{Events, ListChanges};
use crate::{
    domain::{
        Error, EventType, FriendRequest, NewEvent, RequestDirection, RequestState, UserRef,
        Username,
    },
    ops::core::{Context, Core},
    store::requests::{self, Between, ClosedRequest, OpenedRequest},
};

/// The two users of a request, with their keys.
pub(in crate::ops) fn between<'a>(
    context: &Context,
    requester: &'a Username,
    recipient: &'a Username,
) -> Between<'a> {
    Between { requester: context.user(requester), recipient: context.user(recipient) }
}

/// Reads the last requests between these users, who are locked.
pub(in crate::ops) async fn read(
    changes: &mut ListChanges<'_>,
    tx: &mut PgConnection,
    wanted: &[Between<'_>],
) -> Result<(), Error> {
    if wanted.is_empty() {
        return Ok(());
    }
    for (at, request) in requests::find(tx, wanted).await? {
        let request = with_expiry(changes.request_life, request);
        changes.requests.insert(wanted[at].keys(), request);
    }
    Ok(())
}

/// Reads the requests between the two users of each pair, in both directions. Leaves out pairs of which
/// one user has no pending request at all.
pub(in crate::ops) async fn read_waiting(
    changes: &mut ListChanges<'_>,
    tx: &mut PgConnection,
    pairs: &[[UserRef<'_>; 2]],
) -> Result<(), Error> {
    let waiting =
        pairs.iter().filter(|pair| pair.iter().all(|u| changes.heads.has_requests(u.key)));
    let wanted: Vec<Between<'_>> = waiting
        .flat_map(|&[one, other]| {
            [(one, other), (other, one)]
                .map(|(requester, recipient)| Between { requester, recipient })
        })
        .collect();
    read(changes, tx, &wanted).await
}

/// The last request between two users, which was read, after the changes so far.
pub(in crate::ops) fn last(
    changes: &ListChanges<'_>,
    between: Between<'_>,
) -> Option<FriendRequest> {
    changes.requests.get(&between.keys()).cloned()
}

/// How a request that was read stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Waiting {
    /// There is none, or it has ended.
    No,
    /// It waits for an answer.
    Yes,
    /// It is stored as pending, and its time is over.
    Overdue,
}

/// How the last request between two users stands, after the changes so far.
pub(in crate::ops) fn waiting(changes: &ListChanges<'_>, between: Between<'_>) -> Waiting {
    match changes.requests.get(&between.keys()) {
        Some(request) if request.state == RequestState::Pending => {
            let overdue = request.expires_at.is_some_and(|expires| expires <= changes.now);
            if overdue { Waiting::Overdue } else { Waiting::Yes }
        }
        _ => Waiting::No,
    }
}

/// A request with the time at which it expires, if it is pending and requests do.
pub(in crate::ops) fn with_expiry(life: Option<Duration>, request: FriendRequest) -> FriendRequest {
    let life = life.filter(|_| request.state == RequestState::Pending);
    FriendRequest { expires_at: life.map(|life| request.created_at + life), ..request }
}

/// Opens a pending request between two users who have none in this direction, on behalf of the requester,
/// and records the event.
///
/// # Errors
/// `RequestLimitExceeded` for the first of the two who has no room; nothing is changed then.
pub(in crate::ops) fn open<'a>(
    changes: &mut ListChanges<'a>,
    context: &Context,
    between: Between<'a>,
    message: &'a str,
) -> Result<(), Error> {
    let limit = context.core.bounds.pending_requests;
    let Between { requester, recipient } = between;
    let heads = &mut changes.heads;
    for (user, count) in [
        (requester, heads.head(requester.key).outgoing_requests),
        (recipient, heads.head(recipient.key).incoming_requests),
    ] {
        if count >= limit {
            return Err(Error::RequestLimitExceeded { username: user.name.clone(), limit });
        }
    }
    let sent = heads.count_outgoing(requester.key, 1);
    let versions = [sent, heads.count_incoming(recipient.key, 1)];
    // One row keeps the last request of this direction: the new one is written over the one that ended.
    changes.closed_requests.retain(|closed| closed.between != between);
    changes.opened_request = Some(OpenedRequest { between, versions, message });
    let request = FriendRequest {
        requester: requester.name.clone(),
        recipient: recipient.name.clone(),
        state: RequestState::Pending,
        message: message.to_owned(),
        answer: String::new(),
        created_at: changes.now,
        updated_at: changes.now,
        expires_at: None,
    };
    changes.requests.insert(between.keys(), with_expiry(changes.request_life, request));
    let event = NewEvent::new(EventType::FriendRequestSent, requester, sent, recipient);
    changes.record(context.app.id, NewEvent { detail: message, ..event });
    Ok(())
}

/// Gives a waiting request, which was read, another message.
pub(in crate::ops) fn set_message<'a>(
    changes: &mut ListChanges<'a>,
    between: Between<'a>,
    message: &'a str,
) {
    for key in between.keys() {
        changes.heads.next_version(key);
    }
    changes.changed_message = Some((between, message));
    if let Some(request) = changes.requests.get_mut(&between.keys()) {
        message.clone_into(&mut request.message);
        request.updated_at = changes.now;
    }
}

/// Has requests that have ended deleted.
pub(in crate::ops) fn delete<'a>(changes: &mut ListChanges<'a>, requests: Vec<Between<'a>>) {
    changes.deleted_requests.extend(requests);
}

/// Ends a request that is stored as pending, in any state. Returns the new versions of requester and
/// recipient.
pub(in crate::ops) fn close<'a>(
    changes: &mut ListChanges<'a>,
    between: Between<'a>,
    state: RequestState,
    answer: &'a str,
) -> (i64, i64) {
    let sent = changes.heads.count_outgoing(between.requester.key, -1);
    let got = changes.heads.count_incoming(between.recipient.key, -1);
    changes.closed_requests.push(ClosedRequest { between, state, answer });
    if let Some(request) = changes.requests.get_mut(&between.keys()) {
        request.state = state;
        answer.clone_into(&mut request.answer);
        (request.updated_at, request.expires_at) = (changes.now, None);
    }
    (sent, got)
}

/// Ends a waiting request on behalf of one side, and records the event.
pub(in crate::ops) fn answer<'a>(
    changes: &mut ListChanges<'a>,
    app_id: Uuid,
    between: Between<'a>,
    (ending, answer): (Ending, &'a str),
    actor: RequestDirection,
) {
    let (sent, got) = close(changes, between, ending.state(), answer);
    let (owner, version, friend) = match actor {
        RequestDirection::Outgoing => (between.requester, sent, between.recipient),
        RequestDirection::Incoming => (between.recipient, got, between.requester),
    };
    let event = NewEvent::new(ending.event_type(), owner, version, friend);
    changes.record(app_id, NewEvent { detail: answer, ..event });
}

/// How one of the two users ends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ops) enum Ending {
    Accepted,
    Rejected,
    Cancelled,
}

impl Ending {
    pub(in crate::ops) fn state(self) -> RequestState {
        match self {
            Self::Accepted => RequestState::Accepted,
            Self::Rejected => RequestState::Rejected,
            Self::Cancelled => RequestState::Cancelled,
        }
    }

    fn event_type(self) -> EventType {
        match self {
            Self::Accepted => EventType::FriendRequestAccepted,
            Self::Rejected => EventType::FriendRequestRejected,
            Self::Cancelled => EventType::FriendRequestCancelled,
        }
    }
}

/// Ends the pending requests between two users, in both directions: as `state`, or as expired when a
/// request is overdue. Records no event: the change by which the requests end has one of its own.
pub(in crate::ops) fn settle<'a>(
    changes: &mut ListChanges<'a>,
    [one, other]: [UserRef<'a>; 2],
    state: RequestState,
) {
    for (requester, recipient) in [(one, other), (other, one)] {
        let between = Between { requester, recipient };
        let state = match waiting(changes, between) {
            Waiting::No => continue,
            Waiting::Yes => state,
            Waiting::Overdue => RequestState::Expired,
        };
        close(changes, between, state, "");
    }
}

/// Cancels the request from `requester` to the owner, on behalf of the owner.
pub(in crate::ops) fn cancel_incoming<'a>(
    changes: &mut ListChanges<'a>,
    app_id: Uuid,
    owner: UserRef<'a>,
    requester: UserRef<'a>,
    events: Events,
) {
    let between = Between { requester, recipient: owner };
    cancel(changes, app_id, between, RequestDirection::Incoming, events);
}

/// Cancels a request, if it is pending, on behalf of one side. An overdue request ends as expired
/// instead, without an event.
pub(in crate::ops) fn cancel<'a>(
    changes: &mut ListChanges<'a>,
    app_id: Uuid,
    between: Between<'a>,
    actor: RequestDirection,
    events: Events,
) {
    match (waiting(changes, between), events) {
        (Waiting::No, _) => {}
        (Waiting::Yes, Events::Record) => {
            answer(changes, app_id, between, (Ending::Cancelled, ""), actor);
        }
        (Waiting::Yes, Events::Skip) => {
            close(changes, between, RequestState::Cancelled, "");
        }
        (Waiting::Overdue, _) => {
            close(changes, between, RequestState::Expired, "");
        }
    }
}

/// The time at which, or before which, a pending request was sent if it is overdue now. `None`: requests
/// never expire.
pub(in crate::ops) fn overdue_before(core: &Core) -> Option<OffsetDateTime> {
    core.request_life.map(|life| core.clock.now() - life)
}
