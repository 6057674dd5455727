//! Friend requests: send, accept, reject, cancel, list, expire.

use sqlx::PgConnection;
use tokio::time::Instant;

use super::{Call, Core, events, found, friends as friend_ops, locks::Locked};
use crate::{
    domain::{
        Error, EventType, Extension, Friend, FriendRequest, Invalid, NewEvent, Page, PageSize,
        RequestDirection, RequestMessage, RequestState, Username,
    },
    store::{
        apps, blocks, friends,
        requests::{self, Between},
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
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            lock(&mut tx, between).await?;
            let (requester_key, recipient_key) = (between.requester.0, between.recipient.0);
            if !friends::are_friends(&mut tx, requester_key, &[recipient]).await?.is_empty() {
                let (requester, recipient) = (requester.clone(), recipient.clone());
                return Err(Error::AlreadyFriends { requester, recipient });
            }
            if blocks::between(&mut tx, recipient_key, requester).await?.0 {
                return Err(blocked(recipient, requester));
            }
            let crossing = swapped(between);
            if pending(call, requests::get(&mut tx, crossing).await?).is_some() {
                let (crossed, _) = agree(&mut tx, call, crossing, "").await?;
                call.commit(tx, between.keys()).await?;
                return Ok(crossed);
            }
            let now = call.core.clock.now();
            match pending(call, requests::get(&mut tx, between).await?) {
                Some(same) if same.message == message.as_str() => return Ok(same),
                Some(_) => {
                    for key in [requester_key, recipient_key] {
                        users::next_version(&mut tx, key).await?;
                    }
                    requests::set_message(&mut tx, between, message, now).await?;
                }
                None => open(&mut tx, call, between, message).await?,
            }
            let request = requests::get(&mut tx, between).await?;
            let request = pending(call, request).ok_or_else(|| not_found(between))?;
            call.commit(tx, between.keys()).await?;
            Ok(request)
        })
        .await
}

/// Writes a new pending request, counted on both sides, and tells of it.
async fn open(
    tx: &mut PgConnection,
    call: &Call,
    between: Between<'_>,
    message: &RequestMessage,
) -> Result<(), Error> {
    // One that is overdue but not cleaned up yet still counts.
    if let Some(old) = requests::get(tx, between).await?
        && old.state == RequestState::Pending
    {
        close(tx, call, between, RequestState::Expired, "").await?;
    }
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
    events::record(tx, call, vec![event]).await
}

/// Agrees to a pending request: the two are friends at once. Returns the request and the requester's
/// entry in the recipient's list.
///
/// # Errors
/// `UserNotFound`, `RequestNotFound`, `Blocked`, `FriendLimitExceeded`.
pub async fn accept(
    call: &Call,
    requester: &Username,
    recipient: &Username,
    answer: &RequestMessage,
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
            let accepted = agree(&mut tx, call, between, answer.as_str()).await?;
            call.commit(tx, between.keys()).await?;
            Ok(accepted)
        })
        .await
}

/// Turns a pending request into a friendship.
async fn agree(
    tx: &mut PgConnection,
    call: &Call,
    between: Between<'_>,
    answer: &str,
) -> Result<(FriendRequest, Friend), Error> {
    let version = close(tx, call, between, RequestState::Accepted, answer).await?;
    let accepted = NewEvent {
        event_type: EventType::FriendRequestAccepted,
        owner: between.recipient,
        version: version.1,
        friend: between.requester.1,
        detail: answer,
    };
    events::record(tx, call, vec![accepted]).await?;
    friend_ops::join(tx, call, between.requester, between.recipient, &Extension::default()).await?;
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
    answer_with(call, requester, recipient, RequestState::Rejected, answer).await
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
    answer_with(call, requester, recipient, RequestState::Cancelled, answer).await
}

async fn answer_with(
    call: &Call,
    requester: &Username,
    recipient: &Username,
    state: RequestState,
    answer: &RequestMessage,
) -> Result<FriendRequest, Error> {
    let between = between(call, requester, recipient);
    call.core
        .db
        .retrying(|| async {
            let mut tx = call.core.db.begin(call.deadline).await?;
            lock(&mut tx, between).await?;
            let request = requests::get(&mut tx, between).await?;
            if let Some(done) = request.as_ref().filter(|request| request.state == state) {
                return Ok(done.clone());
            }
            if pending(call, request).is_none() {
                return Err(not_found(between));
            }
            close_and_tell(&mut tx, call, between, state, answer.as_str()).await?;
            let request = requests::get(&mut tx, between).await?;
            call.commit(tx, between.keys()).await?;
            request.ok_or_else(|| not_found(between))
        })
        .await
}

/// Ends a pending request in a way that is told: declined by the recipient, or taken back by the
/// requester.
async fn close_and_tell(
    tx: &mut PgConnection,
    call: &Call,
    between: Between<'_>,
    state: RequestState,
    answer: &str,
) -> Result<(), Error> {
    let (requesters, recipients) = close(tx, call, between, state, answer).await?;
    let (event_type, owner, version, friend) = if state == RequestState::Cancelled {
        let friend = between.recipient.1;
        (EventType::FriendRequestCancelled, between.requester, requesters, friend)
    } else {
        let friend = between.requester.1;
        (EventType::FriendRequestRejected, between.recipient, recipients, friend)
    };
    let event = NewEvent { event_type, owner, version, friend, detail: answer };
    events::record(tx, call, vec![event]).await
}

/// Ends a pending request on both sides, counters and versions included. Returns the new versions of
/// requester and recipient.
async fn close(
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

/// The two became friends otherwise: whatever is pending between them is accepted. Both are locked.
pub(super) async fn settle_between(
    tx: &mut PgConnection,
    call: &Call,
    one: &Username,
    other: &Username,
) -> Result<(), Error> {
    let there = between(call, one, other);
    for between in [there, swapped(there)] {
        let request = requests::get(tx, between).await?;
        if request.is_some_and(|request| request.state == RequestState::Pending) {
            close(tx, call, between, RequestState::Accepted, "").await?;
        }
    }
    Ok(())
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
        let (_, version) = close(tx, call, between, RequestState::Cancelled, "").await?;
        let event = NewEvent {
            event_type: EventType::FriendRequestCancelled,
            owner: between.recipient,
            version,
            friend: &requester,
            detail: "",
        };
        events::record(tx, call, vec![event]).await?;
    }
    Ok(())
}

/// A deleted user's request is forgotten on both sides. Both are locked.
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
        close_and_tell(tx, call, between, RequestState::Cancelled, "").await?;
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
    let owner = (call.key(username), username);
    let rows = call.core.db.retrying(|| async {
        let mut db = call.core.db.read().await?;
        let rows = requests::page(&mut db, owner, direction, states, before, size).await;
        db.done(rows)
    });
    let rows = found(rows.await?, username)?;
    let page = Page::cut(rows, size, |(_, version)| *version);
    Ok(page.map(|(request, _)| with_expiry(call, request)))
}

/// Ends pending requests that nobody answered in time, some at a time, until none are left, and
/// removes ended ones after the time for which tombstones are kept.
///
/// # Errors
/// Those of the database; the next time goes on where this one stopped.
pub async fn expire(core: &std::sync::Arc<Core>, deadline: Instant) -> Result<(), Error> {
    const BATCH: i64 = 100;
    while let Some(life) = core.request_life {
        let mut db = core.db.read().await?;
        let overdue = requests::overdue(&mut db, core.clock.now() - life, BATCH).await;
        let overdue = db.done(overdue)?;
        for (app_id, requester, recipient) in &overdue {
            let mut db = core.db.read().await?;
            let app = apps::by_id(&mut db, *app_id).await;
            let Some(app) = db.done(app)? else { continue };
            let call =
                Call { core: std::sync::Arc::clone(core), app: std::sync::Arc::new(app), deadline };
            core.db.retrying(|| expire_one(&call, requester, recipient)).await?;
        }
        if overdue.len() < usize::try_from(BATCH).unwrap_or(0) {
            break;
        }
    }
    let before = core.clock.now() - core.tombstone_retention;
    loop {
        let mut tx = core.db.begin(deadline).await?;
        let purged = requests::purge(&mut tx, before, BATCH * 10).await?;
        tx.commit().await?;
        if purged == 0 {
            return Ok(());
        }
    }
}

async fn expire_one(call: &Call, requester: &Username, recipient: &Username) -> Result<(), Error> {
    let between = between(call, requester, recipient);
    let mut tx = call.core.db.begin(call.deadline).await?;
    match lock(&mut tx, between).await {
        Ok(()) => {}
        // A deleted user's requests go with the user.
        Err(Error::UserNotFound(_)) => return Ok(()),
        Err(error) => return Err(error),
    }
    let Some(request) = requests::get(&mut tx, between).await? else { return Ok(()) };
    let overdue = request.state == RequestState::Pending && pending(call, Some(request)).is_none();
    if overdue {
        close(&mut tx, call, between, RequestState::Expired, "").await?;
        call.commit(tx, between.keys()).await?;
    }
    Ok(())
}

async fn lock(tx: &mut PgConnection, between: Between<'_>) -> Result<(), Error> {
    let locked = Locked::all(tx, [between.requester.0, between.recipient.0]).await?;
    for (key, username) in [between.requester, between.recipient] {
        found(locked.get(key), username)?;
    }
    Ok(())
}

/// The request, if it waits for an answer and is not overdue.
fn pending(call: &Call, request: Option<FriendRequest>) -> Option<FriendRequest> {
    let request = with_expiry(call, request?);
    let now = call.core.clock.now();
    let waits = request.state == RequestState::Pending;
    (waits && request.expires_at.is_none_or(|expires| expires > now)).then_some(request)
}

fn with_expiry(call: &Call, request: FriendRequest) -> FriendRequest {
    let life = call.core.request_life.filter(|_| request.state == RequestState::Pending);
    FriendRequest { expires_at: life.map(|life| request.created_at + life), ..request }
}

fn between<'a>(call: &Call, requester: &'a Username, recipient: &'a Username) -> Between<'a> {
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
