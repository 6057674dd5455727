//! `friend_requests` over time: overdue requests, and the removal of ended ones.

use sqlx::{PgConnection, query, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{requests::sides, statements};
use crate::domain::{Error, OwnerKey, RequestDirection, Username};

statements! {
    OVERDUE = "\
-- request_expiry.overdue
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
-- request_expiry.overdue_of
select other_name, direction
from friend_requests
where owner_key = $1
  and state = 'pending'
  and created_at <= $2
order by direction, other_name
limit $3";
    PURGE = "\
-- request_expiry.purge
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

/// Up to `limit` pending requests that were sent at `before` or earlier: app, requester, recipient.
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

/// Up to `limit` pending requests of a user that were sent at `before` or earlier: the other user, and
/// the user's side.
pub(crate) async fn overdue_of(
    db: &mut PgConnection,
    owner: OwnerKey,
    before: OffsetDateTime,
    limit: i64,
) -> Result<Vec<(Username, RequestDirection)>, Error> {
    let rows =
        query_as(OVERDUE_OF).bind(owner.as_uuid()).bind(before).bind(limit).fetch_all(db).await?;
    Ok(sides(rows))
}

/// Deletes up to `limit` rows of requests that ended at `before` or earlier. Returns how many.
pub(crate) async fn purge(
    db: &mut PgConnection,
    before: OffsetDateTime,
    limit: i64,
) -> Result<u64, Error> {
    Ok(query(PURGE).bind(before).bind(limit).execute(db).await?.rows_affected())
}
