//! `friend_requests`: requests to become friends, under both users.

use sqlx::{FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::statements;
use crate::domain::{
    Error, FriendRequest, OwnerKey, PageSize, RequestDirection, RequestMessage, RequestState,
    UserRef, Username,
};

statements! {
    GET = "\
-- requests.get
select other_name, state, sent_version, message, answer, created_at, updated_at
from friend_requests
where owner_key = $1
  and direction = $2
  and other_name = $3";
    PUT = "\
-- requests.put
insert into friend_requests (owner_key, direction, other_name, state, sent_version, message,
                             created_at, updated_at)
select owner_key, direction, other_name, 'pending', version, $5, $6, $6
from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[])
    as sides (owner_key, direction, other_name, version)
on conflict (owner_key, direction, other_name) do update
set state = excluded.state,
    sent_version = excluded.sent_version,
    message = excluded.message,
    answer = '',
    created_at = excluded.created_at,
    updated_at = excluded.updated_at";
    SET_MESSAGE = "\
-- requests.set_message
update friend_requests r
set message = $4,
    updated_at = $5
from unnest($1::uuid[], $2::text[], $3::text[]) as sides (owner_key, direction, other_name)
where r.owner_key = sides.owner_key
  and r.direction = sides.direction
  and r.other_name = sides.other_name";
    CLOSE = "\
-- requests.close
update friend_requests r
set state = $4,
    answer = $5,
    updated_at = $6
from unnest($1::uuid[], $2::text[], $3::text[]) as sides (owner_key, direction, other_name)
where r.owner_key = sides.owner_key
  and r.direction = sides.direction
  and r.other_name = sides.other_name
  and r.state = 'pending'";
    PENDING_FROM = "\
-- requests.pending_from
select other_name
from friend_requests
where owner_key = $1
  and direction = 'incoming'
  and other_name = any($2)
  and state = 'pending'";
    PAGE = "\
-- requests.page
select r.other_name, r.state, r.sent_version, r.message, r.answer, r.created_at, r.updated_at
from users u
left join lateral (
    select other_name, seen.state, sent_version, message, answer, created_at, updated_at
    from friend_requests
    cross join lateral (
        select case
                   when friend_requests.state = 'pending' and created_at <= $6 then 'expired'
                   else friend_requests.state
               end as state
    ) seen
    where owner_key = u.owner_key
      and direction = $2
      and sent_version < $3
      and seen.state = any($4)
    order by sent_version desc
    limit $5
) r on true
where u.owner_key = $1
  and u.deleted_at is null
order by r.sent_version desc";
    OTHERS = "\
-- requests.others
select other_name, direction, state
from friend_requests
where owner_key = $1
order by direction, other_name
limit $2";
    REMOVE = "\
-- requests.remove
delete from friend_requests r
using unnest($1::uuid[], $2::text[], $3::text[]) as sides (owner_key, direction, other_name)
where r.owner_key = sides.owner_key
  and r.direction = sides.direction
  and r.other_name = sides.other_name";
    OVERDUE = "\
-- requests.overdue
select u.app_id, r.other_name, u.username
from friend_requests r
join users u on u.owner_key = r.owner_key
join apps a on a.app_id = u.app_id and a.deleted_at is null
where r.state = 'pending'
  and r.direction = 'incoming'
  and r.created_at <= $1
order by r.created_at
limit $2";
    OVERDUE_OF = "\
-- requests.overdue_of
select other_name, direction
from friend_requests
where owner_key = $1
  and state = 'pending'
  and created_at <= $2
order by direction, other_name
limit $3";
    PURGE = "\
-- requests.purge
delete from friend_requests
where (owner_key, direction, other_name) in (
    select owner_key, direction, other_name
    from friend_requests
    where state <> 'pending'
      and updated_at <= $1
    order by updated_at
    limit $2
)
and state <> 'pending'";
}

#[derive(FromRow)]
struct RequestRow {
    other_name: Option<String>,
    state: Option<String>,
    sent_version: Option<i64>,
    message: Option<String>,
    answer: Option<String>,
    created_at: Option<OffsetDateTime>,
    updated_at: Option<OffsetDateTime>,
}

impl RequestRow {
    /// The request and its version; nothing for the row of nulls of a user without requests.
    fn into_request(
        self,
        owner: &Username,
        direction: RequestDirection,
    ) -> Option<(FriendRequest, i64)> {
        let other = Username::from_store(self.other_name?);
        let (requester, recipient) = match direction {
            RequestDirection::Incoming => (other, owner.clone()),
            RequestDirection::Outgoing => (owner.clone(), other),
        };
        let request = FriendRequest {
            requester,
            recipient,
            state: RequestState::from_store(&self.state?),
            message: self.message?,
            answer: self.answer?,
            created_at: self.created_at?,
            updated_at: self.updated_at?,
            expires_at: None,
        };
        Some((request, self.sent_version?))
    }
}

/// The two users of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Between<'a> {
    pub(crate) requester: (OwnerKey, &'a Username),
    pub(crate) recipient: (OwnerKey, &'a Username),
}

impl Between<'_> {
    /// Their keys.
    pub(crate) fn keys(&self) -> [OwnerKey; 2] {
        [self.requester.0, self.recipient.0]
    }

    /// The columns that find its two rows: the requester's first.
    fn sides(&self) -> ([Uuid; 2], [&'static str; 2], [&str; 2]) {
        (
            [self.requester.0.as_uuid(), self.recipient.0.as_uuid()],
            [RequestDirection::Outgoing.as_str(), RequestDirection::Incoming.as_str()],
            [self.recipient.1.as_str(), self.requester.1.as_str()],
        )
    }
}

/// The last request from the one to the other, as the recipient's row has it.
pub(crate) async fn get(
    db: &mut PgConnection,
    between: Between<'_>,
) -> Result<Option<FriendRequest>, Error> {
    let row: Option<RequestRow> = query_as(GET)
        .bind(between.recipient.0.as_uuid())
        .bind(RequestDirection::Incoming.as_str())
        .bind(between.requester.1.as_str())
        .fetch_optional(db)
        .await?;
    let recipient = between.recipient.1;
    Ok(row
        .and_then(|row| row.into_request(recipient, RequestDirection::Incoming))
        .map(|(request, _)| request))
}

/// Writes a new pending request on both sides. `versions` are those of requester and recipient.
pub(crate) async fn put(
    db: &mut PgConnection,
    between: Between<'_>,
    versions: [i64; 2],
    message: &RequestMessage,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let (owners, directions, others) = between.sides();
    query(PUT)
        .bind(owners.as_slice())
        .bind(directions.as_slice())
        .bind(others.as_slice())
        .bind(versions.as_slice())
        .bind(message.as_str())
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// Gives a request another message, on both sides.
pub(crate) async fn set_message(
    db: &mut PgConnection,
    between: Between<'_>,
    message: &RequestMessage,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let (owners, directions, others) = between.sides();
    query(SET_MESSAGE)
        .bind(owners.as_slice())
        .bind(directions.as_slice())
        .bind(others.as_slice())
        .bind(message.as_str())
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

/// Ends a pending request, on both sides.
pub(crate) async fn close(
    db: &mut PgConnection,
    between: Between<'_>,
    state: RequestState,
    answer: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let (owners, directions, others) = between.sides();
    let done = query(CLOSE)
        .bind(owners.as_slice())
        .bind(directions.as_slice())
        .bind(others.as_slice())
        .bind(state.as_str())
        .bind(answer)
        .bind(now)
        .execute(db)
        .await?;
    if done.rows_affected() == 2 {
        return Ok(());
    }
    Err(Error::Internal("the two sides of a friend request disagree".to_owned()))
}

/// Which of the others wait for a user's answer.
pub(crate) async fn pending_from(
    db: &mut PgConnection,
    recipient: OwnerKey,
    requesters: &[&Username],
) -> Result<Vec<Username>, Error> {
    let names: Vec<&str> = requesters.iter().map(|name| name.as_str()).collect();
    let found: Vec<String> =
        query_scalar(PENDING_FROM).bind(recipient.as_uuid()).bind(names).fetch_all(db).await?;
    Ok(found.into_iter().map(Username::from_store).collect())
}

/// Which of a user's requests a page shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) direction: RequestDirection,
    pub(crate) states: &'a [RequestState],
    /// Those sent before this version of the user's.
    pub(crate) before: i64,
    /// Pending ones sent at this time or earlier are shown as expired.
    pub(crate) overdue: Option<OffsetDateTime>,
}

/// A user's requests, newest first; nothing when there is no such user.
pub(crate) async fn page(
    db: &mut PgConnection,
    owner: UserRef<'_>,
    wanted: Wanted<'_>,
    size: PageSize,
) -> Result<Option<Vec<(FriendRequest, i64)>>, Error> {
    let direction = wanted.direction;
    let states: Vec<&str> = wanted.states.iter().map(|state| state.as_str()).collect();
    let rows: Vec<RequestRow> = query_as(PAGE)
        .bind(owner.key.as_uuid())
        .bind(direction.as_str())
        .bind(wanted.before)
        .bind(states)
        .bind(size.rows_to_read())
        .bind(wanted.overdue)
        .fetch_all(db)
        .await?;
    // A user without requests is one row of nulls; no user is no row.
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(rows.into_iter().filter_map(|row| row.into_request(owner.name, direction)).collect()))
}

/// Some of a user's requests: the other user, the user's side, and whether it is pending.
pub(crate) async fn others(
    db: &mut PgConnection,
    owner: OwnerKey,
    limit: i64,
) -> Result<Vec<(Username, RequestDirection, bool)>, Error> {
    let rows: Vec<(String, String, String)> =
        query_as(OTHERS).bind(owner.as_uuid()).bind(limit).fetch_all(db).await?;
    Ok(rows
        .into_iter()
        .map(|(name, direction, state)| {
            let direction = RequestDirection::from_store(&direction);
            (Username::from_store(name), direction, state == "pending")
        })
        .collect())
}

/// Removes a request, on both sides.
pub(crate) async fn remove(db: &mut PgConnection, between: Between<'_>) -> Result<(), Error> {
    let (owners, directions, others) = between.sides();
    query(REMOVE)
        .bind(owners.as_slice())
        .bind(directions.as_slice())
        .bind(others.as_slice())
        .execute(db)
        .await?;
    Ok(())
}

/// Some pending requests sent at `before` or earlier: app, requester, recipient.
pub(crate) async fn overdue(
    db: &mut PgConnection,
    before: OffsetDateTime,
    limit: i64,
) -> Result<Vec<(Uuid, Username, Username)>, Error> {
    let rows: Vec<(Uuid, String, String)> =
        query_as(OVERDUE).bind(before).bind(limit).fetch_all(db).await?;
    Ok(rows
        .into_iter()
        .map(|(app, requester, recipient)| {
            (app, Username::from_store(requester), Username::from_store(recipient))
        })
        .collect())
}

/// Some pending requests of a user that were sent at `before` or earlier: the other user, and the
/// user's side.
pub(crate) async fn overdue_of(
    db: &mut PgConnection,
    owner: OwnerKey,
    before: OffsetDateTime,
    limit: i64,
) -> Result<Vec<(Username, RequestDirection)>, Error> {
    let rows: Vec<(String, String)> =
        query_as(OVERDUE_OF).bind(owner.as_uuid()).bind(before).bind(limit).fetch_all(db).await?;
    Ok(rows
        .into_iter()
        .map(|(name, direction)| {
            (Username::from_store(name), RequestDirection::from_store(&direction))
        })
        .collect())
}

/// Removes up to `limit` rows of requests that ended at `before` or earlier. Returns how many.
pub(crate) async fn purge(
    db: &mut PgConnection,
    before: OffsetDateTime,
    limit: i64,
) -> Result<u64, Error> {
    Ok(query(PURGE).bind(before).bind(limit).execute(db).await?.rows_affected())
}
