//! Deleted users in `users`: those who still stand in lists, and those of deleted apps.

use sqlx::{PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{statements, users::uuids};
use crate::domain::{Error, OwnerKey, Username};

statements! {
    MARK_DELETED = "\
-- user_deletion.mark_deleted
update users
set deleted_at = $2,
    leaving = true,
    nickname = ''
where owner_key = $1";
    HAS_LEFT = "\
-- user_deletion.has_left
update users
set leaving = false
where owner_key = $1";
    LEAVING = "\
-- user_deletion.leaving
select app_id, username
from users
where leaving
order by owner_key
limit $1";
    OF_APP = "\
-- user_deletion.of_app
select owner_key
from users
where app_id = $1
order by username
limit $2";
    PURGE_FRIENDS = "\
-- user_deletion.purge_friends
delete from friends
where owner_key = any($1)";
    PURGE_BLOCKS = "\
-- user_deletion.purge_blocks
delete from blocks
where owner_key = any($1)";
    PURGE_BLOCKED_BY = "\
-- user_deletion.purge_blocked_by
delete from blocked_by
where owner_key = any($1)";
    PURGE_REQUESTS = "\
-- user_deletion.purge_requests
delete from friend_requests
where owner_key = any($1)";
    PURGE = "\
-- user_deletion.purge
delete from users
where owner_key = any($1)";
}

/// Marks a locked user as deleted and leaving. From then on no call finds the user, and no list gets an
/// entry of the user.
pub(crate) async fn mark_deleted(
    db: &mut PgConnection,
    key: OwnerKey,
    now: OffsetDateTime,
) -> Result<(), Error> {
    query(MARK_DELETED).bind(key.as_uuid()).bind(now).execute(db).await?;
    Ok(())
}

/// Marks a locked, deleted user as standing in no list any more.
pub(crate) async fn has_left(db: &mut PgConnection, key: OwnerKey) -> Result<(), Error> {
    query(HAS_LEFT).bind(key.as_uuid()).execute(db).await?;
    Ok(())
}

/// Up to `limit` deleted users who still stand in lists: app and name.
pub(crate) async fn leaving(
    db: &mut PgConnection,
    limit: i64,
) -> Result<Vec<(Uuid, Username)>, Error> {
    let rows: Vec<(Uuid, String)> = query_as(LEAVING).bind(limit).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(app_id, name)| (app_id, Username::from_store(name))).collect())
}

/// Up to `limit` users of an app, including deleted ones.
pub(crate) async fn of_app(
    db: &mut PgConnection,
    app_id: Uuid,
    limit: i64,
) -> Result<Vec<OwnerKey>, Error> {
    let keys: Vec<Uuid> = query_scalar(OF_APP).bind(app_id).bind(limit).fetch_all(db).await?;
    Ok(keys.into_iter().map(OwnerKey::from_store).collect())
}

/// Deletes all rows of these users, whose app is deleted.
pub(crate) async fn purge(db: &mut PgConnection, keys: &[OwnerKey]) -> Result<(), Error> {
    for statement in [PURGE_FRIENDS, PURGE_BLOCKS, PURGE_BLOCKED_BY, PURGE_REQUESTS, PURGE] {
        query(statement).bind(uuids(keys)).execute(&mut *db).await?;
    }
    Ok(())
}
