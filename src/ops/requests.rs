//! Friend requests: send, accept, reject, cancel, list.
//!
//! A request that nobody answered in time is overdue, and counts as expired from that moment on,
//! whether [`super::maintenance::expiry`] has come to it or not.

use sqlx::PgConnection;

use super::{
    Call, changes::record_events, found, friends as friend_ops, locks::Locked, maintenance::expiry,
};
use crate::{
    domain::{
        Error, EventType, Extension, Friend, FriendRequest, Invalid, NewEvent, Page, PageSize,
        RequestDirection, RequestMessage, RequestState, Username,
    },
    store::{
        blocks, friends,
        requests::{self, Between, Wanted},
        users,
    },
};

/// Asks a user to become friends. While a request is pending, another one replaces its message; a
/// pending one the other way makes the two friends at once. Returns the request that is left.
///
/// # Errors
/// `UserNotFound`, `SelfRelation`, `AlreadyFriends`, `Blocked`, `RequestLimitExceeded`,
/// `FriendLimitExceeded`.
pub async fn send(
    call: &Call,
    requester: &Username,
    recipient: &Username,
    message: &RequestMessage,
) -> Result<FriendRequest, Error> {
    if requester == recipient {
        return Err(Invalid::SelfRelation {
            field: "recipient".to_owned(),
            username: requester.clone(),
        }
        .into());
    }
    let between = between(call, requester, recipient);
    loop {
        let sent = call.core.db.retrying(|| try_to_send(call, between, message)).await;
        // Overdue requests take no place. Each turn more has ended some of them.
        if let Err(Error::RequestLimitExceeded { username, .. }) = &sent
            && expiry::make_room(call, username).await?
        {
            continue;
        }
        return sent;
    }
}

async fn try_to_send(
    call: &Call,
    between: Between<'_>,
    message: &RequestMessage,
) -> Result<FriendRequest, Error> {
    let (requester, recipient) = (between.requester, between.recipient);
    let mut tx = call.core.db.begin(call.deadline).await?;
    lock(&mut tx, between).await?;
    if !friends::are_friends(&mut tx, requester.0, &[recipient.1]).await?.is_empty() {
        let (requester, recipient) = (requester.1.clone(), recipient.1.clone());
        return Err(Error::AlreadyFriends { requester, recipient });
    }
    if blocks::between(&mut tx, recipient.0, requester.1).await?.0 {
        return Err(blocked(recipient.1, requester.1));
    }
    let crossing = swapped(between);
    if pending(call, requests::get(&mut tx, crossing).await?).is_some() {
        // What the second one says answers the first one.
        let said = (message, &Extension::default());
        let (crossed, _) = agree(&mut tx, call, crossing, said).await?;
        call.commit(tx, between.keys()).await?;
        return Ok(crossed);
    }
    match pending(call, requests::get(&mut tx, between).await?) {
        Some(same) if same.message == message.as_str() => return Ok(same),
        Some(_) => {
            for key in between.keys() {
                users::next_version(&mut tx, key).await?;
            }
            let now = call.core.clock.now();
            requests::set_message(&mut tx, between, message, now).await?;
        }
        None => {
            // Overdue ones that are not cleaned up yet, either way, are still counted.
            settle(&mut tx, call, between, RequestState::Expired).await?;
            open(&mut tx, call, between, message).await?;
        }
    }
    let request = requests::get(&mut tx, between).await?;
    let request = pending(call, request).ok_or_else(|| not_found(between))?;
    call.commit(tx, between.keys()).await?;
    Ok(request)
}

/// Writes a new pending request, counted on both sides, and tells of it.
async fn open(
    tx: &mut PgConnection,
    call: &Call,
    between: Between<'_>,
    message: &RequestMessage,
) -> Result<(), Error> {
    let limit = call.core.bounds.pending_requests;
    let full =
        |username: &Username| Error::RequestLimitExceeded { username: username.clone(), limit };
    let (requester, recipient) = (between.requester, between.recipient);
    let sent = users::change_requests(tx, requester.0, (0, 1), limit).await?;
    let sent = sent.ok_or_else(|| full(requester.1))?;
    let got = users::change_requests(tx, recipient.0, (1, 0), limit).await?;
    let got = got.ok_or_else(|| full(recipient.1))?;
    requests::put(tx, between, [sent, got], message, call.core.clock.now()).await?;
    let event = NewEvent {
        event_type: EventType::FriendRequestSent,
        owner: requester,
        version: sent,
        friend: recipient.1,
        detail: message.as_str(),
    };
    record_events::record(tx, call, vec![event]).await
}

/// Agrees to a pending request: the two are friends at once. The requester's entry in the recipient's
/// list gets the server extension; it is returned with the request. Agreeing again changes nothing.
///
/// # Errors
/// `UserNotFound`, `RequestNotFound`, `Blocked`, `FriendLimitExceeded`.
pub async fn accept(
    call: &Call,
    requester: &Username,
    recipient: &Username,
    answer: &RequestMessage,
    server_extension: &Extension,
) -> Result<(FriendRequest, Friend), Error> {
    let between = between(call, requester, recipient);
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            lock(&mut tx, between).await?;
            let request = requests::get(&mut tx, between).await?;
            if let Some(done) = request.as_ref().filter(|r| r.state == RequestState::Accepted)
                && let Some(friend) =
                    friends::get(&mut tx, between.recipient, between.requester).await?
            {
                return Ok((done.clone(), friend));
            }
            if pending(call, request).is_none() {
                return Err(not_found(between));
            }
            let blocks = blocks::between(&mut tx, between.recipient.0, requester).await?;
            if blocks.0 {
                return Err(blocked(recipient, requester));
            }
            if blocks.1 {
                return Err(blocked(requester, recipient));
            }
            let accepted = agree(&mut tx, call, between, (answer, server_extension)).await?;
            call.commit(tx, between.keys()).await?;
            Ok(accepted)
        })
        .await
}

/// Turns a pending request into a friendship, with the recipient's answer and the server extension of
/// the recipient's entry.
async fn agree(
    tx: &mut PgConnection,
    call: &Call,
    between: Between<'_>,
    (answer, server_extension): (&RequestMessage, &Extension),
) -> Result<(FriendRequest, Friend), Error> {
    let recipients = RequestDirection::Incoming;
    let end = (RequestState::Accepted, answer.as_str());
    close_and_tell(tx, call, between, end, recipients).await?;
    settle(tx, call, between, RequestState::Accepted).await?;
    let extensions = ["", server_extension.as_str()];
    friend_ops::join(tx, call, between.requester, between.recipient, extensions).await?;
    let request = requests::get(tx, between).await?.ok_or_else(|| not_found(between))?;
    let friend = friends::get(tx, between.recipient, between.requester).await?;
    let friend = friend.ok_or_else(|| Error::Internal("a new friend is missing".to_owned()))?;
    Ok((request, friend))
}

/// Declines a pending request. Declining again is fine.
///
/// # Errors
/// `UserNotFound`, `RequestNotFound`.
pub async fn reject(
    call: &Call,
    requester: &Username,
    recipient: &Username,
    answer: &RequestMessage,
) -> Result<FriendRequest, Error> {
    let between = between(call, requester, recipient);
    let recipients = RequestDirection::Incoming;
    answer_with(call, between, (RequestState::Rejected, answer.as_str()), recipients).await
}

/// Takes a pending request back. Taking it back again is fine.
///
/// # Errors
/// `UserNotFound`, `RequestNotFound`.
pub async fn cancel(
    call: &Call,
    requester: &Username,
    recipient: &Username,
    answer: &RequestMessage,
) -> Result<FriendRequest, Error> {
    let between = between(call, requester, recipient);
    let requesters = RequestDirection::Outgoing;
    answer_with(call, between, (RequestState::Cancelled, answer.as_str()), requesters).await
}

async fn answer_with(
    call: &Call,
    between: Between<'_>,
    end: (RequestState, &str),
    actor: RequestDirection,
) -> Result<FriendRequest, Error> {
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            lock(&mut tx, between).await?;
            let request = requests::get(&mut tx, between).await?;
            if let Some(done) = request.as_ref().filter(|request| request.state == end.0) {
                return Ok(done.clone());
            }
            if pending(call, request).is_none() {
                return Err(not_found(between));
            }
            close_and_tell(&mut tx, call, between, end, actor).await?;
            let request = requests::get(&mut tx, between).await?;
            call.commit(tx, between.keys()).await?;
            request.ok_or_else(|| not_found(between))
        })
        .await
}

/// Ends a pending request as the doing of one side, and tells of it.
async fn close_and_tell(
    tx: &mut PgConnection,
    call: &Call,
    between: Between<'_>,
    (state, answer): (RequestState, &str),
    actor: RequestDirection,
) -> Result<(), Error> {
    let event_type = match state {
        RequestState::Accepted => EventType::FriendRequestAccepted,
        RequestState::Rejected => EventType::FriendRequestRejected,
        RequestState::Cancelled => EventType::FriendRequestCancelled,
        RequestState::Pending | RequestState::Expired => {
            return Err(Error::Internal(format!("nobody makes a request {}", state.as_str())));
        }
    };
    let (requesters, recipients) = close(tx, call, between, state, answer).await?;
    let (owner, version, friend) = match actor {
        RequestDirection::Outgoing => (between.requester, requesters, between.recipient.1),
        RequestDirection::Incoming => (between.recipient, recipients, between.requester.1),
    };
    let event = NewEvent { event_type, owner, version, friend, detail: answer };
    record_events::record(tx, call, vec![event]).await
}

/// Cancels a pending request as the doing of one side. An overdue one ends as expired, which is
/// nobody's doing and not told.
async fn cancel_or_expire(
    tx: &mut PgConnection,
    call: &Call,
    between: Between<'_>,
    actor: RequestDirection,
) -> Result<(), Error> {
    if pending(call, requests::get(tx, between).await?).is_some() {
        return close_and_tell(tx, call, between, (RequestState::Cancelled, ""), actor).await;
    }
    close(tx, call, between, RequestState::Expired, "").await.map(drop)
}

/// Ends a pending request on both sides, counters and versions included. Returns the new versions of
/// requester and recipient.
pub(super) async fn close(
    tx: &mut PgConnection,
    call: &Call,
    between: Between<'_>,
    state: RequestState,
    answer: &str,
) -> Result<(i64, i64), Error> {
    let lost = || Error::Internal("a pending friend request was not counted".to_owned());
    let (requester, recipient) = (between.requester.0, between.recipient.0);
    let sent = users::change_requests(tx, requester, (0, -1), i32::MAX).await?.ok_or_else(lost)?;
    let got = users::change_requests(tx, recipient, (-1, 0), i32::MAX).await?.ok_or_else(lost)?;
    requests::close(tx, between, state, answer, call.core.clock.now()).await?;
    Ok((sent, got))
}

/// Ends whatever is pending between two users, either way, both locked: as `state`, if it is not
/// overdue. Not told: what happened between the two is.
async fn settle(
    tx: &mut PgConnection,
    call: &Call,
    there: Between<'_>,
    state: RequestState,
) -> Result<(), Error> {
    for between in [there, swapped(there)] {
        let request = requests::get(tx, between).await?;
        if request.as_ref().is_some_and(|request| request.state == RequestState::Pending) {
            let waits = pending(call, request).is_some();
            let state = if waits { state } else { RequestState::Expired };
            close(tx, call, between, state, "").await?;
        }
    }
    Ok(())
}

/// The two became friends otherwise: whatever is pending between them is accepted. Both are locked.
pub(super) async fn settle_between(
    tx: &mut PgConnection,
    call: &Call,
    one: &Username,
    other: &Username,
) -> Result<(), Error> {
    settle(tx, call, between(call, one, other), RequestState::Accepted).await
}

/// The owner blocks these users: what they asked of the owner is cancelled. All are locked.
pub(super) async fn cancel_from(
    tx: &mut PgConnection,
    call: &Call,
    owner: &Username,
    blocked: &[&Username],
) -> Result<(), Error> {
    for requester in requests::pending_from(tx, call.key(owner), blocked).await? {
        let between = between(call, &requester, owner);
        cancel_or_expire(tx, call, between, RequestDirection::Incoming).await?;
    }
    Ok(())
}

/// A deleted user's request is forgotten on both sides; a pending one is cancelled, as that user's
/// doing. Both are locked.
pub(super) async fn forget(
    tx: &mut PgConnection,
    call: &Call,
    leaving: &Username,
    (other, direction, is_pending): &(Username, RequestDirection, bool),
) -> Result<(), Error> {
    let between = match direction {
        RequestDirection::Incoming => between(call, other, leaving),
        RequestDirection::Outgoing => between(call, leaving, other),
    };
    if *is_pending {
        cancel_or_expire(tx, call, between, *direction).await?;
    }
    requests::remove(tx, between).await
}

/// A page of a user's requests, the newest first, sent before the version `before`.
///
/// # Errors
/// `UserNotFound`.
pub async fn list(
    call: &Call,
    username: &Username,
    direction: RequestDirection,
    states: &[RequestState],
    before: i64,
    size: PageSize,
) -> Result<Page<FriendRequest, i64>, Error> {
    let owner = call.user(username);
    let overdue = call.core.request_life.map(|life| call.core.clock.now() - life);
    let wanted = Wanted { direction, states, before, overdue };
    let db = &call.core.db;
    let rows = db.read(async |db| requests::page(db, owner, wanted, size).await).await?;
    let rows = found(rows, username)?;
    let page = Page::cut(rows, size, |(_, version)| *version);
    Ok(page.map(|(request, _)| with_expiry(call, request)))
}

async fn lock(tx: &mut PgConnection, between: Between<'_>) -> Result<(), Error> {
    let locked = Locked::all(tx, [between.requester.0, between.recipient.0]).await?;
    for (key, username) in [between.requester, between.recipient] {
        found(locked.get(key), username)?;
    }
    Ok(())
}

/// The request, if it waits for an answer and is not overdue.
pub(super) fn pending(call: &Call, request: Option<FriendRequest>) -> Option<FriendRequest> {
    let request = with_expiry(call, request?);
    let now = call.core.clock.now();
    let waits = request.state == RequestState::Pending;
    (waits && request.expires_at.is_none_or(|expires| expires > now)).then_some(request)
}

fn with_expiry(call: &Call, request: FriendRequest) -> FriendRequest {
    let life = call.core.request_life.filter(|_| request.state == RequestState::Pending);
    FriendRequest { expires_at: life.map(|life| request.created_at + life), ..request }
}

pub(super) fn between<'a>(
    call: &Call,
    requester: &'a Username,
    recipient: &'a Username,
) -> Between<'a> {
    Between {
        requester: (call.key(requester), requester),
        recipient: (call.key(recipient), recipient),
    }
}

fn swapped(between: Between<'_>) -> Between<'_> {
    Between { requester: between.recipient, recipient: between.requester }
}

fn blocked(blocker: &Username, blocked: &Username) -> Error {
    Error::Blocked { blocker: blocker.clone(), blocked: blocked.clone() }
}

fn not_found(between: Between<'_>) -> Error {
    Error::RequestNotFound {
        requester: between.requester.1.clone(),
        recipient: between.recipient.1.clone(),
    }
}
