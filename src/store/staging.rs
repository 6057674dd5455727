//! Staged records of an import: temporary tables of one session, filled by COPY, and read back in the order
//! in which they go in.

use sqlx::{Executor as _, FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{copy::Rows, statements};
use crate::domain::{
    BlockRecord, EntryTexts, Error, FriendRecord, Nickname, OwnerKey, Place, UserRecord, UserRef,
    Username,
};

statements! {
    CREATE_USERS = "\
-- staging.create_users
create temporary table staged_users (
    place      bigint           not null,
    owner_key  uuid             not null,
    username   text collate \"C\" not null,
    nickname   text,
    activated  boolean,
    uuid       uuid
)";
    CREATE_FRIENDS = "\
-- staging.create_friends
create temporary table staged_friends (
    place             bigint           not null,
    owner_key         uuid             not null,
    friend_key        uuid             not null,
    owner_name        text collate \"C\" not null,
    friend_name       text collate \"C\" not null,
    remark            text,
    extension         text,
    server_extension  text,
    created_at        timestamp with time zone
)";
    CREATE_BLOCKS = "\
-- staging.create_blocks
create temporary table staged_blocks (
    place         bigint           not null,
    owner_key     uuid             not null,
    blocked_key   uuid             not null,
    owner_name    text collate \"C\" not null,
    blocked_name  text collate \"C\" not null,
    created_at    timestamp with time zone
)";
    GRANT = "\
-- staging.grant
select format('grant temporary on database %I to %I', current_database(), current_user)";
    COPY_USERS = "\
-- staging.copy_users
copy staged_users (place, owner_key, username, nickname, activated, uuid) from stdin";
    COPY_FRIENDS = "\
-- staging.copy_friends
copy staged_friends (place, owner_key, friend_key, owner_name, friend_name, remark, extension,
                     server_extension, created_at) from stdin";
    COPY_BLOCKS = "\
-- staging.copy_blocks
copy staged_blocks (place, owner_key, blocked_key, owner_name, blocked_name, created_at) from stdin";
    ANALYZE = "\
-- staging.analyze
analyze staged_users, staged_friends, staged_blocks";
    // Both directions of a friendship come one after the other, at the place of the first of them. The
    // cursor is held, so that no transaction stays open that would keep Postgres from vacuuming what the
    // batches leave behind.
    ORDER_FRIENDS = "\
-- staging.order_friends
declare friends_in_order no scroll cursor with hold for
select place, owner_key, friend_key, owner_name, friend_name, remark, extension, server_extension,
       created_at
from (
    select place, owner_key, friend_key, owner_name, friend_name, remark, extension,
           server_extension, created_at,
           min(place) over (
               partition by least(owner_key, friend_key), greatest(owner_key, friend_key)
           ) as pair
    from staged_friends
) paired
order by pair, place";
    NEXT_FRIENDS = "\
-- staging.next_friends
fetch forward 5000 from friends_in_order";
    ORDER_BLOCKS = "\
-- staging.order_blocks
declare blocks_in_order no scroll cursor with hold for
select place, owner_key, blocked_key, owner_name, blocked_name, created_at,
       row_number() over (partition by owner_key, blocked_name order by place) > 1
from staged_blocks
order by place";
    NEXT_BLOCKS = "\
-- staging.next_blocks
fetch forward 5000 from blocks_in_order";
}

/// A friend record that is staged.
#[derive(Clone, Debug)]
pub(crate) struct StagedFriend {
    pub(crate) place: Place,
    pub(crate) owner: (OwnerKey, Username),
    pub(crate) friend: (OwnerKey, Username),
    pub(crate) texts: EntryTexts,
    pub(crate) created_at: Option<OffsetDateTime>,
}

/// A block record that is staged.
#[derive(Clone, Debug)]
pub(crate) struct StagedBlock {
    pub(crate) place: Place,
    pub(crate) owner: (OwnerKey, Username),
    pub(crate) blocked: (OwnerKey, Username),
    pub(crate) created_at: Option<OffsetDateTime>,
    /// True when an earlier record says the same.
    pub(crate) repeated: bool,
}

impl StagedBlock {
    pub(crate) fn owner(&self) -> UserRef<'_> {
        UserRef { key: self.owner.0, name: &self.owner.1 }
    }

    pub(crate) fn blocked(&self) -> UserRef<'_> {
        UserRef { key: self.blocked.0, name: &self.blocked.1 }
    }
}

#[derive(FromRow)]
struct FriendRow {
    place: i64,
    owner_key: Uuid,
    friend_key: Uuid,
    owner_name: String,
    friend_name: String,
    remark: Option<String>,
    extension: Option<String>,
    server_extension: Option<String>,
    created_at: Option<OffsetDateTime>,
}

type BlockRow = (i64, Uuid, Uuid, String, String, Option<OffsetDateTime>, bool);

/// Creates the temporary tables in a session.
pub(crate) async fn create(db: &mut PgConnection) -> Result<(), Error> {
    for statement in [CREATE_USERS, CREATE_FRIENDS, CREATE_BLOCKS] {
        if let Err(error) = db.execute(statement).await {
            return Err(with_grant(db, error.into()).await);
        }
    }
    Ok(())
}

/// The error, and of a missing privilege the statement that grants it.
async fn with_grant(db: &mut PgConnection, error: Error) -> Error {
    let Error::PrivilegeMissing(why) = error else { return error };
    match query_scalar::<_, String>(GRANT).fetch_one(db).await {
        Ok(grant) => {
            Error::PrivilegeMissing(format!("{why}; the database's owner mends it by `{grant}`"))
        }
        Err(_) => Error::PrivilegeMissing(why),
    }
}

/// Stages users.
pub(crate) async fn users<'a>(
    db: &mut PgConnection,
    users: impl Iterator<Item = (Place, OwnerKey, &'a UserRecord)>,
) -> Result<(), Error> {
    let mut rows = Rows::default();
    for (place, key, user) in users {
        rows.number(place.as_i64()).uuid(key).text(user.username.as_str());
        rows.optional(user.nickname.as_ref().map(Nickname::as_str));
        rows.optional(user.activated.map(|activated| if activated { "t" } else { "f" }));
        rows.optional(user.uuid.map(|uuid| uuid.to_string()).as_deref()).end();
    }
    rows.copy(db, COPY_USERS).await
}

/// Stages friend records with the keys of their two users.
pub(crate) async fn friends<'a>(
    db: &mut PgConnection,
    records: impl Iterator<Item = (Place, [OwnerKey; 2], &'a FriendRecord)>,
) -> Result<(), Error> {
    let mut rows = Rows::default();
    for (place, [owner, friend], record) in records {
        rows.number(place.as_i64()).uuid(owner).uuid(friend);
        rows.text(record.owner.as_str()).text(record.friend.as_str());
        let texts = &record.texts;
        rows.optional(texts.remark.as_deref());
        rows.optional(texts.extension.as_deref());
        rows.optional(texts.server_extension.as_deref());
        rows.time(record.created_at)?.end();
    }
    rows.copy(db, COPY_FRIENDS).await
}

/// Stages block records with the keys of their two users.
pub(crate) async fn blocks<'a>(
    db: &mut PgConnection,
    records: impl Iterator<Item = (Place, [OwnerKey; 2], &'a BlockRecord)>,
) -> Result<(), Error> {
    let mut rows = Rows::default();
    for (place, [owner, blocked], record) in records {
        rows.number(place.as_i64()).uuid(owner).uuid(blocked);
        rows.text(record.owner.as_str()).text(record.blocked.as_str());
        rows.time(record.created_at)?.end();
    }
    rows.copy(db, COPY_BLOCKS).await
}

/// Has Postgres count what is staged, so that it plans the next statements well.
pub(crate) async fn analyze(db: &mut PgConnection) -> Result<(), Error> {
    query(ANALYZE).execute(db).await?;
    Ok(())
}

/// Opens a cursor over all friend records: both directions of a friendship, and repetitions, follow one
/// another; otherwise the order is that of the files.
pub(crate) async fn order_friends(db: &mut PgConnection) -> Result<(), Error> {
    query(ORDER_FRIENDS).execute(db).await?;
    Ok(())
}

/// The next friend records of the cursor; none at the end.
pub(crate) async fn next_friends(db: &mut PgConnection) -> Result<Vec<StagedFriend>, Error> {
    let staged = |row: FriendRow| StagedFriend {
        place: Place::from_i64(row.place),
        owner: (OwnerKey::from_store(row.owner_key), Username::from_store(row.owner_name)),
        friend: (OwnerKey::from_store(row.friend_key), Username::from_store(row.friend_name)),
        texts: EntryTexts {
            remark: row.remark,
            extension: row.extension,
            server_extension: row.server_extension,
        },
        created_at: row.created_at,
    };
    let rows: Vec<FriendRow> = query_as(NEXT_FRIENDS).fetch_all(db).await?;
    Ok(rows.into_iter().map(staged).collect())
}

/// Opens a cursor over all block records, in the order of the files.
pub(crate) async fn order_blocks(db: &mut PgConnection) -> Result<(), Error> {
    query(ORDER_BLOCKS).execute(db).await?;
    Ok(())
}

/// The next block records of the cursor; none at the end.
pub(crate) async fn next_blocks(db: &mut PgConnection) -> Result<Vec<StagedBlock>, Error> {
    let staged = |row: BlockRow| {
        let (place, owner_key, blocked_key, owner, blocked, created_at, repeated) = row;
        StagedBlock {
            place: Place::from_i64(place),
            owner: (OwnerKey::from_store(owner_key), Username::from_store(owner)),
            blocked: (OwnerKey::from_store(blocked_key), Username::from_store(blocked)),
            created_at,
            repeated,
        }
    };
    let rows: Vec<BlockRow> = query_as(NEXT_BLOCKS).fetch_all(db).await?;
    Ok(rows.into_iter().map(staged).collect())
}
