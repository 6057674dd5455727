//! Reading an app as a whole, for an export.

use futures_util::{StreamExt as _, stream::BoxStream};
use sqlx::{FromRow, PgConnection, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

use super::statements;
use crate::domain::{
    BlockRecord, EntryTexts, Error, FriendRecord, Nickname, Record, UserRecord, Username,
};

statements! {
    // One statement, so that all of it is as of one moment.
    RECORDS = "\
-- export.records
(
    select 0 as kind, u.username, '' as other, u.nickname as remark, '' as extension,
           '' as server_extension, u.activated, u.uuid, u.created_at, u.modified_at
    from users u
    where u.app_id = $1
      and u.deleted_at is null
    order by u.username
)
union all
(
    select 1, u.username, f.friend_name, f.remark, f.extension, f.server_extension, u.activated,
           u.uuid, f.created_at, f.updated_at
    from users u
    join friends f on f.owner_key = u.owner_key and not f.deleted
    where u.app_id = $1
      and u.deleted_at is null
      and not exists (
          select
          from users o
          where o.app_id = $1
            and o.username = f.friend_name
            and o.leaving
      )
    order by u.username, f.friend_name
)
union all
(
    select 2, u.username, b.blocked_name, '', '', '', u.activated, u.uuid, b.created_at,
           b.updated_at
    from users u
    join blocks b on b.owner_key = u.owner_key and not b.deleted
    where u.app_id = $1
      and u.deleted_at is null
      and not exists (
          select
          from users o
          where o.app_id = $1
            and o.username = b.blocked_name
            and o.leaving
      )
    order by u.username, b.version
)";
}

#[derive(FromRow)]
struct ExportRow {
    kind: i32,
    username: String,
    other: String,
    remark: String,
    extension: String,
    server_extension: String,
    activated: bool,
    uuid: Uuid,
    created_at: OffsetDateTime,
    modified_at: OffsetDateTime,
}

impl TryFrom<ExportRow> for Record {
    type Error = Error;

    fn try_from(row: ExportRow) -> Result<Self, Error> {
        let username = Username::from_store(row.username);
        let other = Username::from_store(row.other);
        Ok(match row.kind {
            0 => Self::User(UserRecord {
                username,
                nickname: Some(Nickname::parse("nickname", &row.remark)?),
                activated: Some(row.activated),
                uuid: Some(row.uuid),
                created_at: Some(row.created_at),
                modified_at: Some(row.modified_at),
            }),
            1 => Self::Friend(FriendRecord {
                owner: username,
                friend: other,
                texts: EntryTexts {
                    remark: Some(row.remark),
                    extension: Some(row.extension),
                    server_extension: Some(row.server_extension),
                },
                created_at: Some(row.created_at),
                updated_at: Some(row.modified_at),
            }),
            _ => Self::Block(BlockRecord {
                owner: username,
                blocked: other,
                created_at: Some(row.created_at),
            }),
        })
    }
}

/// Everything of an app, as of one moment: users by name; friends by owner and name; blocks by owner,
/// the oldest first. On a session of its own.
pub(crate) fn records(db: &mut PgConnection, app_id: Uuid) -> BoxStream<'_, Result<Record, Error>> {
    query_as::<_, ExportRow>(RECORDS)
        .bind(app_id)
        .fetch(db)
        .map(|row| Record::try_from(row?))
        .boxed()
}
