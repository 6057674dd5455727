//! `friends` for those who follow a list: changes by version with tombstones, and the purge of tombstones.

use sqlx::{FromRow, PgConnection, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    changes::{Headed, Since, SinceArrays, by_list},
    statements,
};
use crate::domain::{Error, Friend, FriendChange, ListVersion, OwnerKey, UpdatedAfter, Username};

statements! {
    CHANGES = "\
-- friend_changes.changes
select asked.position, u.version as head_version, u.friends_purged_to, f.friend_name, f.version,
       f.deleted, f.remark, f.extension, f.server_extension, f.created_at, f.updated_at
from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::timestamptz[])
    with ordinality as asked (owner_key, version, rows, updated_at, position)
join users u on u.owner_key = asked.owner_key and u.deleted_at is null
left join lateral (
    select friend_name, version, deleted, remark, extension, server_extension, created_at,
           updated_at
    from friends
    where owner_key = u.owner_key
      and version > asked.version
      and updated_at > asked.updated_at
    order by version
    limit asked.rows
) f on true";
    UPDATED_AFTER = "\
-- friend_changes.updated_after
select f.friend_name, f.version, f.deleted, f.remark, f.extension, f.server_extension,
       f.created_at, f.updated_at
from users u
left join friends f on f.owner_key = u.owner_key
                   and f.updated_at > $2
                   and not f.deleted
where u.owner_key = $1
  and u.deleted_at is null
order by f.version";
    OWNERS_OF_TOMBSTONES = "\
-- friend_changes.owners_of_tombstones
select distinct owner_key
from (
    select owner_key
    from friends
    where deleted
      and remark = ''
      and updated_at <= $1
    order by updated_at
    limit $2
) old";
    PURGE = "\
-- friend_changes.purge
with gone as (
    delete from friends
    where owner_key = $1
      and deleted
      and remark = ''
      and updated_at <= $2
    returning version
)
select max(version)
from gone";
}

#[derive(FromRow)]
struct HeadedRow {
    position: i64,
    head_version: i64,
    friends_purged_to: i64,
    #[sqlx(flatten)]
    change: ChangeRow,
}

#[derive(FromRow)]
struct ChangeRow {
    friend_name: Option<String>,
    version: Option<i64>,
    deleted: Option<bool>,
    remark: Option<String>,
    extension: Option<String>,
    server_extension: Option<String>,
    created_at: Option<OffsetDateTime>,
    updated_at: Option<OffsetDateTime>,
}

impl ChangeRow {
    /// The change; `None` for the row of nulls that stands for a list without changes.
    fn into_change(self) -> Option<FriendChange> {
        let (username, version) = (Username::from_store(self.friend_name?), self.version?);
        if self.deleted? {
            return Some(FriendChange::Removed { username, version });
        }
        Some(FriendChange::Upserted(Friend {
            username,
            remark: self.remark?,
            extension: self.extension?,
            server_extension: self.server_extension?,
            // Both sides of a friendship change in one transaction.
            bidirectional: true,
            created_at: self.created_at?,
            updated_at: self.updated_at?,
            version,
        }))
    }
}

/// The head of each of these friend lists, and its changes after a version and a time, in the order of
/// their versions. `None` for an owner who does not exist.
pub(crate) async fn changes(
    db: &mut PgConnection,
    asked: impl ExactSizeIterator<Item = (Since, UpdatedAfter)>,
) -> Result<Vec<Option<Headed<FriendChange>>>, Error> {
    let lists = asked.len();
    let (mut since, mut updated_after) = (SinceArrays::default(), Vec::new());
    for (list, UpdatedAfter(time)) in asked {
        since.push(list);
        updated_after.push(time.unwrap_or(OffsetDateTime::UNIX_EPOCH));
    }
    let rows: Vec<HeadedRow> = query_as(CHANGES)
        .bind(since.owners)
        .bind(since.versions)
        .bind(since.rows)
        .bind(updated_after)
        .fetch_all(db)
        .await?;
    Ok(by_list(
        lists,
        rows.into_iter().map(|row| {
            let head = ListVersion { version: row.head_version, purged_to: row.friends_purged_to };
            (row.position, head, row.change.into_change())
        }),
    ))
}

/// All entries of a list that changed after a time, in the order of their changes; `None` when there is no
/// such user.
pub(crate) async fn updated_after(
    db: &mut PgConnection,
    owner: OwnerKey,
    after: OffsetDateTime,
) -> Result<Option<Vec<Friend>>, Error> {
    let rows: Vec<ChangeRow> =
        query_as(UPDATED_AFTER).bind(owner.as_uuid()).bind(after).fetch_all(db).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let changes = rows.into_iter().filter_map(ChangeRow::into_change);
    Ok(Some(changes.filter_map(FriendChange::into_upserted).collect()))
}

/// Owners of up to `limit` tombstones of `before` or earlier that keep no remark, the oldest first.
pub(crate) async fn owners_of_tombstones(
    db: &mut PgConnection,
    before: OffsetDateTime,
    limit: i64,
) -> Result<Vec<OwnerKey>, Error> {
    let keys: Vec<Uuid> =
        query_scalar(OWNERS_OF_TOMBSTONES).bind(before).bind(limit).fetch_all(db).await?;
    Ok(keys.into_iter().map(OwnerKey::from_store).collect())
}

/// Deletes a locked user's tombstones of `before` or earlier, except those that keep a remark.
/// Returns the highest version among them.
pub(crate) async fn purge(
    db: &mut PgConnection,
    owner: OwnerKey,
    before: OffsetDateTime,
) -> Result<Option<i64>, Error> {
    Ok(query_scalar(PURGE).bind(owner.as_uuid()).bind(before).fetch_one(db).await?)
}
