//! Friend requests: send, accept, reject, cancel, list.

use super::{
    call::Call,
    changes::{
        block,
        friendship::{self, NewTexts, Side},
        heads::Heads,
        list_changes::{Events, ListChanges},
        request::{self, Ending, Waiting},
    },
    found,
    maintenance::expiry,
    refuse_self,
};
use crate::{
    domain::{
        Error, Extension, Friend, FriendRequest, Page, PageSize, RequestDirection, RequestMessage,
        RequestState, UserRef, Username,
    },
    store::{
        Tx,
        requests::{self, Between, Wanted},
    },
};

/// Sends a friend request. If the same request is pending already, it gets the new message. If one is
/// pending in the other direction, that one is accepted: the two users become friends at once. Returns
/// the request that was opened, changed or accepted.
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
    refuse_self(|| "recipient".to_owned(), requester, recipient)?;
    let between = request::between(call, requester, recipient);
    loop {
        let sent = call.core.db.retrying(|| try_to_send(call, between, message)).await;
        // Overdue requests are still counted. Each round has expired some of them.
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
    let Between { requester, recipient } = between;
    let crossing = Between { requester: recipient, recipient: requester };
    let (mut tx, mut changes) = lock(call, between).await?;
    friendship::read_pairs(&mut changes, &mut tx, &[[requester, recipient]]).await?;
    if friendship::are_friends(&changes, requester, recipient) {
        let (requester, recipient) = (requester.name.clone(), recipient.name.clone());
        return Err(Error::AlreadyFriends { requester, recipient });
    }
    block::read_blocks(&mut changes, &mut tx, &[[recipient, requester]]).await?;
    refuse_blocked(&changes, between)?;
    if request::waiting(&changes, crossing) == Waiting::Yes {
        // The message of the second request answers the first one.
        let (crossed, _) = agree(&mut changes, call, crossing, (message, ""))?;
        changes.commit(tx, &call.core).await?;
        return Ok(crossed);
    }
    match request::waiting(&changes, between) {
        Waiting::Yes => {
            let same = last(&changes, between)?;
            if same.message == message.as_str() {
                return Ok(same);
            }
            request::set_message(&mut changes, between, message.as_str());
        }
        Waiting::No | Waiting::Overdue => {
            // Overdue requests, in either direction, are still counted.
            request::settle(&mut changes, [requester, recipient], RequestState::Expired);
            request::open(&mut changes, call, between, message.as_str())?;
        }
    }
    let sent = last(&changes, between)?;
    changes.commit(tx, &call.core).await?;
    Ok(sent)
}

/// Accepts a pending request: the two users become friends at once. The recipient's entry of the
/// requester gets the server extension. Returns the request and that entry. Accepting again changes
/// nothing.
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
    let between = request::between(call, requester, recipient);
    let said = (answer, server_extension.as_str());
    let attempt = || try_to_accept(call, between, said, WithoutRequest::Refuse);
    let (request, entry) = call.core.db.retrying(attempt).await?;
    Ok((request.ok_or_else(|| not_found(between))?, entry))
}

/// Accepts a pending request as [`accept`] does. Without one the two become friends all the same, as the
/// recipient's doing, and whoever blocks whom.
///
/// # Errors
/// `UserNotFound`, `SelfRelation`, `FriendLimitExceeded`; `Blocked` when there is a request.
pub async fn accept_or_befriend(
    call: &Call,
    requester: &Username,
    recipient: &Username,
    answer: &RequestMessage,
    server_extension: &Extension,
) -> Result<(), Error> {
    refuse_self(|| "friend".to_owned(), recipient, requester)?;
    let between = request::between(call, requester, recipient);
    let said = (answer, server_extension.as_str());
    let attempt = || try_to_accept(call, between, said, WithoutRequest::Befriend);
    call.core.db.retrying(attempt).await.map(drop)
}

/// What accepting does when no request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WithoutRequest {
    Refuse,
    Befriend,
}

async fn try_to_accept(
    call: &Call,
    between: Between<'_>,
    said: (&RequestMessage, &str),
    without_request: WithoutRequest,
) -> Result<(Option<FriendRequest>, Friend), Error> {
    let Between { requester, recipient } = between;
    let (mut tx, mut changes) = lock(call, between).await?;
    friendship::read_pairs(&mut changes, &mut tx, &[[recipient, requester]]).await?;
    request::read(&mut changes, &mut tx, &[between]).await?;
    let waiting = request::waiting(&changes, between) == Waiting::Yes;
    if !waiting && let Some(entry) = friendship::entry(&changes, recipient, requester) {
        let accepted = request::last(&changes, between)
            .filter(|request| request.state == RequestState::Accepted);
        if accepted.is_some() || without_request == WithoutRequest::Befriend {
            return Ok((accepted, entry));
        }
    }
    let (request, entry) = if waiting {
        let either_way = [[recipient, requester], [requester, recipient]];
        block::read_blocks(&mut changes, &mut tx, &either_way).await?;
        refuse_blocked(&changes, between)?;
        refuse_blocked(&changes, Between { requester: recipient, recipient: requester })?;
        let (request, entry) = agree(&mut changes, call, between, said)?;
        (Some(request), entry)
    } else if without_request == WithoutRequest::Befriend {
        (None, befriend(&mut changes, call, [recipient, requester], said.1)?)
    } else {
        return Err(not_found(between));
    };
    changes.commit(tx, &call.core).await?;
    Ok((request, entry))
}

/// Turns a waiting request into a friendship, with the recipient's answer and the server extension of
/// the recipient's entry.
fn agree<'a>(
    changes: &mut ListChanges<'a>,
    call: &Call,
    between: Between<'a>,
    (answer, server_extension): (&'a RequestMessage, &'a str),
) -> Result<(FriendRequest, Friend), Error> {
    let Between { requester, recipient } = between;
    let actor = RequestDirection::Incoming;
    request::answer(changes, call.app.id, between, (Ending::Accepted, answer.as_str()), actor);
    let requesters = Side::new(requester, NewTexts::default());
    let recipients = Side::new(recipient, NewTexts { server_extension, ..NewTexts::default() });
    friendship::make(changes, &call.app, [requesters, recipients], Events::Record)?;
    let entry = new_entry(changes, [recipient, requester])?;
    Ok((last(changes, between)?, entry))
}

/// Makes two users friends as the owner's doing, with the server extension of the owner's entry.
fn befriend<'a>(
    changes: &mut ListChanges<'a>,
    call: &Call,
    [owner, friend]: [UserRef<'a>; 2],
    server_extension: &'a str,
) -> Result<Friend, Error> {
    let owners = Side::new(owner, NewTexts { server_extension, ..NewTexts::default() });
    let friends = Side::new(friend, NewTexts::default());
    friendship::make(changes, &call.app, [owners, friends], Events::Record)?;
    new_entry(changes, [owner, friend])
}

fn new_entry(
    changes: &ListChanges<'_>,
    [owner, friend]: [UserRef<'_>; 2],
) -> Result<Friend, Error> {
    let entry = friendship::entry(changes, owner, friend);
    entry.ok_or_else(|| Error::Internal("a new friend is missing".to_owned()))
}

/// Declines a pending request. Declining again changes nothing.
///
/// # Errors
/// `UserNotFound`, `RequestNotFound`.
pub async fn reject(
    call: &Call,
    requester: &Username,
    recipient: &Username,
    answer: &RequestMessage,
) -> Result<FriendRequest, Error> {
    let between = request::between(call, requester, recipient);
    end(call, between, (Ending::Rejected, answer.as_str()), RequestDirection::Incoming).await
}

/// Takes a pending request back. Taking it back again changes nothing.
///
/// # Errors
/// `UserNotFound`, `RequestNotFound`.
pub async fn cancel(
    call: &Call,
    requester: &Username,
    recipient: &Username,
    answer: &RequestMessage,
) -> Result<FriendRequest, Error> {
    let between = request::between(call, requester, recipient);
    end(call, between, (Ending::Cancelled, answer.as_str()), RequestDirection::Outgoing).await
}

async fn end(
    call: &Call,
    between: Between<'_>,
    (ending, answer): (Ending, &str),
    actor: RequestDirection,
) -> Result<FriendRequest, Error> {
    let ended = call.core.db.retrying(|| async {
        let (mut tx, mut changes) = lock(call, between).await?;
        request::read(&mut changes, &mut tx, &[between]).await?;
        if let Some(done) = request::last(&changes, between)
            && done.state == ending.state()
        {
            return Ok(done);
        }
        if request::waiting(&changes, between) != Waiting::Yes {
            return Err(not_found(between));
        }
        request::answer(&mut changes, call.app.id, between, (ending, answer), actor);
        let ended = last(&changes, between)?;
        changes.commit(tx, &call.core).await?;
        Ok(ended)
    });
    ended.await
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
    let overdue = request::overdue_before(&call.core);
    let wanted = Wanted { direction, states, before, overdue };
    let db = &call.core.db;
    let rows = db.read(async |db| requests::page(db, owner, wanted, size).await).await?;
    let page = Page::cut(found(rows, username)?, size, |(_, version)| *version);
    let life = call.core.request_life;
    Ok(page.map(|(request, _)| request::with_expiry(life, request)))
}

/// Opens a transaction, and locks both users of a request in it.
async fn lock<'a>(call: &Call, between: Between<'_>) -> Result<(Tx, ListChanges<'a>), Error> {
    let mut tx = call.core.db.begin(call.deadline).await?;
    let heads = Heads::lock(&mut tx, between.keys()).await?;
    heads.user(between.requester)?;
    heads.user(between.recipient)?;
    Ok((tx, ListChanges::new(&call.core, heads)))
}

/// Refuses a request to a recipient who blocks the requester.
fn refuse_blocked(changes: &ListChanges<'_>, between: Between<'_>) -> Result<(), Error> {
    let Between { requester, recipient } = between;
    if !block::is_blocked(changes, recipient, requester) {
        return Ok(());
    }
    Err(Error::Blocked { blocker: recipient.name.clone(), blocked: requester.name.clone() })
}

/// The last request between two users, which must be there.
fn last(changes: &ListChanges<'_>, between: Between<'_>) -> Result<FriendRequest, Error> {
    request::last(changes, between).ok_or_else(|| not_found(between))
}

fn not_found(between: Between<'_>) -> Error {
    Error::RequestNotFound {
        requester: between.requester.name.clone(),
        recipient: between.recipient.name.clone(),
    }
}
