//! `friend_requests`: requests to become friends, each stored under both users.

use sqlx::{FromRow, PgConnection, query, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{all_changed, column, index, statements};
use crate::domain::{
    Error, FriendRequest, OwnerKey, PageSize, RequestDirection, RequestState, UserRef, Username,
};

statements! {
    // Reads the rows of the recipients. Those of the requesters say the same.
    FIND = "\
-- requests.find
select wanted.position, r.state, r.message, r.answer, r.created_at, r.updated_at
from unnest($1::uuid[], $2::text[]) with ordinality as wanted (owner_key, other_name, position)
cross join lateral (
    select state, message, answer, created_at, updated_at
    from friend_requests
    where owner_key = wanted.owner_key
      and direction = 'incoming'
      and other_name = wanted.other_name
    limit 1
) r";
    OPEN = "\
-- requests.open
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
set state = closed.state,
    answer = closed.answer,
    updated_at = $6
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
    as closed (owner_key, direction, other_name, state, answer)
where r.owner_key = closed.owner_key
  and r.direction = closed.direction
  and r.other_name = closed.other_name
  and r.state = 'pending'";
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
select other_name, direction
from friend_requests
where owner_key = $1
order by direction, other_name
limit $2";
    DELETE = "\
-- requests.delete
delete from friend_requests r
using unnest($1::uuid[], $2::text[], $3::text[]) as sides (owner_key, direction, other_name)
where r.owner_key = sides.owner_key
  and r.direction = sides.direction
  and r.other_name = sides.other_name";
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
    /// The request and its version; `None` for the row of nulls that stands for a user without requests.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Between<'a> {
    pub(crate) requester: UserRef<'a>,
    pub(crate) recipient: UserRef<'a>,
}

impl Between<'_> {
    /// The keys of requester and recipient.
    pub(crate) fn keys(&self) -> [OwnerKey; 2] {
        [self.requester.key, self.recipient.key]
    }
}

/// A pending request to end, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClosedRequest<'a> {
    pub(crate) between: Between<'a>,
    pub(crate) state: RequestState,
    pub(crate) answer: &'a str,
}

/// The columns that find the two rows of each request, the requester's row first.
#[derive(Default)]
struct Sides<'a> {
    owners: Vec<Uuid>,
    directions: Vec<&'static str>,
    others: Vec<&'a str>,
}

impl<'a> Sides<'a> {
    fn of(requests: impl IntoIterator<Item = Between<'a>>) -> Self {
        let mut sides = Self::default();
        for Between { requester, recipient } in requests {
            sides.owners.extend([requester.key.as_uuid(), recipient.key.as_uuid()]);
            let (sent, got) = (RequestDirection::Outgoing, RequestDirection::Incoming);
            sides.directions.extend([sent.as_str(), got.as_str()]);
            sides.others.extend([recipient.name.as_str(), requester.name.as_str()]);
        }
        sides
    }
}

#[derive(FromRow)]
struct FoundRow {
    position: i64,
    state: String,
    message: String,
    answer: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

/// The last request of each of these pairs, with the index of the pair. A pair without a request is left
/// out.
pub(crate) async fn find(
    db: &mut PgConnection,
    wanted: &[Between<'_>],
) -> Result<Vec<(usize, FriendRequest)>, Error> {
    let rows: Vec<FoundRow> = query_as(FIND)
        .bind(column(wanted, |between| between.recipient.key.as_uuid()))
        .bind(column(wanted, |between| between.requester.name.as_str()))
        .fetch_all(db)
        .await?;
    let found = |row: FoundRow| {
        let at = index(row.position);
        let request = FriendRequest {
            requester: wanted[at].requester.name.clone(),
            recipient: wanted[at].recipient.name.clone(),
            state: RequestState::from_store(&row.state),
            message: row.message,
            answer: row.answer,
            created_at: row.created_at,
            updated_at: row.updated_at,
            expires_at: None,
        };
        (at, request)
    };
    Ok(rows.into_iter().map(found).collect())
}

/// A pending request to write, under the new versions of requester and recipient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenedRequest<'a> {
    pub(crate) between: Between<'a>,
    pub(crate) versions: [i64; 2],
    pub(crate) message: &'a str,
}

/// Writes a new pending request, under both users.
pub(crate) async fn open(
    db: &mut PgConnection,
    opened: OpenedRequest<'_>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let sides = Sides::of([opened.between]);
    let done = query(OPEN)
        .bind(sides.owners)
        .bind(sides.directions)
        .bind(sides.others)
        .bind(opened.versions.as_slice())
        .bind(opened.message)
        .bind(now)
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), 2)
}

/// Gives a request another message, under both users.
pub(crate) async fn set_message(
    db: &mut PgConnection,
    between: Between<'_>,
    message: &str,
    now: OffsetDateTime,
) -> Result<(), Error> {
    let sides = Sides::of([between]);
    let done = query(SET_MESSAGE)
        .bind(sides.owners)
        .bind(sides.directions)
        .bind(sides.others)
        .bind(message)
        .bind(now)
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), 2)
}

/// Ends pending requests, under both users.
pub(crate) async fn close(
    db: &mut PgConnection,
    closed: &[ClosedRequest<'_>],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let sides = Sides::of(closed.iter().map(|request| request.between));
    let twice = |text: for<'a> fn(&ClosedRequest<'a>) -> &'a str| -> Vec<&str> {
        closed.iter().map(text).flat_map(|text| [text, text]).collect()
    };
    let done = query(CLOSE)
        .bind(sides.owners)
        .bind(sides.directions)
        .bind(sides.others)
        .bind(twice(|request| request.state.as_str()))
        .bind(twice(|request| request.answer))
        .bind(now)
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), 2 * closed.len())
}

/// Which of a user's requests are on a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) direction: RequestDirection,
    pub(crate) states: &'a [RequestState],
    /// Those that were sent before this version of the user.
    pub(crate) before: i64,
    /// Pending requests that were sent at this time or earlier are shown as expired.
    pub(crate) overdue: Option<OffsetDateTime>,
}

/// A page of a user's requests, newest first; `None` when there is no such user.
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
    // A user without requests is one row of nulls; a user who does not exist is no row.
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(rows.into_iter().filter_map(|row| row.into_request(owner.name, direction)).collect()))
}

/// Up to `limit` requests of a user: the other user, and the user's side.
pub(crate) async fn others(
    db: &mut PgConnection,
    owner: OwnerKey,
    limit: i64,
) -> Result<Vec<(Username, RequestDirection)>, Error> {
    let rows = query_as(OTHERS).bind(owner.as_uuid()).bind(limit).fetch_all(db).await?;
    Ok(sides(rows))
}

/// Deletes requests, under both users.
pub(crate) async fn delete(db: &mut PgConnection, requests: &[Between<'_>]) -> Result<(), Error> {
    let sides = Sides::of(requests.iter().copied());
    query(DELETE).bind(sides.owners).bind(sides.directions).bind(sides.others).execute(db).await?;
    Ok(())
}

pub(super) fn sides(rows: Vec<(String, String)>) -> Vec<(Username, RequestDirection)> {
    rows.into_iter()
        .map(|(name, side)| (Username::from_store(name), RequestDirection::from_store(&side)))
        .collect()
}
