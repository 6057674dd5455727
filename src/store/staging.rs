//! Records on their way in: temporary tables of one session, filled by COPY, and read back in the
//! order in which they are taken in, or compared with what is there.

use futures_util::{StreamExt as _, stream::BoxStream};
use sqlx::{Executor as _, FromRow, PgConnection, query, query_as};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{copy::Rows, statements};
use crate::domain::{
    BlockRecord, Difference, EntryTexts, Error, FriendRecord, Nickname, OwnerKey, Place,
    UserRecord, UserRef, Username,
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
    // Both directions of a friendship side by side, where the first of them stands in the files. Held,
    // and not read at one go: that would keep Postgres from clearing away what the batches leave behind.
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
    USERS_COMPARED = "\
-- staging.users_compared
select s.username, u.owner_key is null, u.nickname <> s.nickname, u.activated <> s.activated,
       u.uuid <> s.uuid
from staged_users s
left join users u on u.owner_key = s.owner_key and u.deleted_at is null
where u.owner_key is null
   or u.nickname <> s.nickname
   or u.activated <> s.activated
   or u.uuid <> s.uuid
order by s.place";
    FRIENDS_COMPARED = "\
-- staging.friends_compared
select s.owner_name, s.friend_name, f.owner_key is null, f.remark <> s.remark,
       f.extension <> s.extension, f.server_extension <> s.server_extension
from staged_friends s
left join friends f on f.owner_key = s.owner_key and f.friend_name = s.friend_name
                   and not f.deleted
where f.owner_key is null
   or f.remark <> s.remark
   or f.extension <> s.extension
   or f.server_extension <> s.server_extension
order by s.place";
    ONE_SIDED = "\
-- staging.one_sided
select s.owner_name, s.friend_name
from staged_friends s
where not exists (
    select
    from staged_friends r
    where r.owner_key = s.friend_key
      and r.friend_key = s.owner_key
)
  and exists (
    select
    from staged_users u
    where u.owner_key = s.friend_key
)
order by s.place";
    EXTRA_FRIENDS = "\
-- staging.extra_friends
select s.username, f.friend_name
from (
    select distinct owner_key, username
    from staged_users
) s
join friends f on f.owner_key = s.owner_key and not f.deleted
where not exists (
    select
    from staged_friends r
    where r.owner_key = f.owner_key
      and r.friend_name = f.friend_name
)
  and not exists (
    select
    from staged_friends r
    where r.friend_key = f.owner_key
      and r.owner_name = f.friend_name
)
order by s.username, f.friend_name";
    MISSING_BLOCKS = "\
-- staging.missing_blocks
select s.owner_name, s.blocked_name
from staged_blocks s
left join blocks b on b.owner_key = s.owner_key and b.blocked_name = s.blocked_name
                  and not b.deleted
where b.owner_key is null
order by s.place";
    EXTRA_BLOCKS = "\
-- staging.extra_blocks
select s.username, b.blocked_name
from (
    select distinct owner_key, username
    from staged_users
) s
join blocks b on b.owner_key = s.owner_key and not b.deleted
where not exists (
    select
    from staged_blocks r
    where r.owner_key = b.owner_key
      and r.blocked_name = b.blocked_name
)
order by s.username, b.version";
    // Entry by entry as counted from the end of the list; one that is missing or too many is told
    // for itself.
    BLOCK_ORDERS = "\
-- staging.block_orders
select owner_name
from (
    select s.owner_name, s.blocked_name,
           row_number() over (partition by s.owner_key order by min(s.place)) as wanted,
           row_number() over (partition by s.owner_key order by b.version) as found
    from staged_blocks s
    join blocks b on b.owner_key = s.owner_key and b.blocked_name = s.blocked_name
                 and not b.deleted
    group by s.owner_key, s.owner_name, s.blocked_name, b.version
) numbered
where wanted <> found
group by owner_name
order by owner_name";
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

/// Makes the tables of a session.
pub(crate) async fn create(db: &mut PgConnection) -> Result<(), Error> {
    for statement in [CREATE_USERS, CREATE_FRIENDS, CREATE_BLOCKS] {
        db.execute(statement).await?;
    }
    Ok(())
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

/// Looks over what is staged, for the plans of what is asked next.
pub(crate) async fn analyze(db: &mut PgConnection) -> Result<(), Error> {
    query(ANALYZE).execute(db).await?;
    Ok(())
}

/// Puts all friend records in order: both directions of a friendship, and repetitions, one after the
/// other; else that of the files.
pub(crate) async fn order_friends(db: &mut PgConnection) -> Result<(), Error> {
    query(ORDER_FRIENDS).execute(db).await?;
    Ok(())
}

/// The next of them; none at the end.
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

/// Puts all block records in the order of the files.
pub(crate) async fn order_blocks(db: &mut PgConnection) -> Result<(), Error> {
    query(ORDER_BLOCKS).execute(db).await?;
    Ok(())
}

/// The next of them; none at the end.
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

/// How what is staged and what is there differ, by one kind of look after the other.
pub(crate) const COMPARISONS: [Comparison; 7] = [
    Comparison::Users,
    Comparison::Friends,
    Comparison::OneSided,
    Comparison::ExtraFriends,
    Comparison::MissingBlocks,
    Comparison::ExtraBlocks,
    Comparison::BlockOrders,
];

/// One kind of look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Users,
    Friends,
    OneSided,
    ExtraFriends,
    MissingBlocks,
    ExtraBlocks,
    BlockOrders,
}

/// The differences of one kind. An entry may yield several.
pub(crate) fn compare(
    db: &mut PgConnection,
    comparison: Comparison,
) -> BoxStream<'_, Result<Vec<Difference>, Error>> {
    let pairs = |sql: &'static str, difference: fn(Username, Username) -> Difference| {
        let named = move |(one, other): (String, String)| {
            vec![difference(Username::from_store(one), Username::from_store(other))]
        };
        move |db| query_as(sql).fetch(db).map(move |row| Ok(named(row?))).boxed()
    };
    match comparison {
        Comparison::Users => query_as::<_, ComparedUserRow>(USERS_COMPARED)
            .fetch(db)
            .map(|row| Ok(compared_user(row?)))
            .boxed(),
        Comparison::Friends => query_as::<_, ComparedRow>(FRIENDS_COMPARED)
            .fetch(db)
            .map(|row| Ok(compared(row?)))
            .boxed(),
        Comparison::OneSided => {
            pairs(ONE_SIDED, |owner, friend| Difference::OneSided { owner, friend })(db)
        }
        Comparison::ExtraFriends => {
            pairs(EXTRA_FRIENDS, |owner, friend| Difference::ExtraFriend { owner, friend })(db)
        }
        Comparison::MissingBlocks => {
            pairs(MISSING_BLOCKS, |owner, blocked| Difference::MissingBlock { owner, blocked })(db)
        }
        Comparison::ExtraBlocks => {
            pairs(EXTRA_BLOCKS, |owner, blocked| Difference::ExtraBlock { owner, blocked })(db)
        }
        Comparison::BlockOrders => query_as::<_, (String,)>(BLOCK_ORDERS)
            .fetch(db)
            .map(|row| Ok(vec![Difference::OtherBlockOrder(Username::from_store(row?.0))]))
            .boxed(),
    }
}

/// Name, whether the user is missing, and what differs: nothing where there is nothing to compare.
type ComparedUserRow = (String, bool, Option<bool>, Option<bool>, Option<bool>);

fn compared_user(
    (username, missing, nickname, activated, uuid): ComparedUserRow,
) -> Vec<Difference> {
    let username = Username::from_store(username);
    if missing {
        return vec![Difference::MissingUser(username)];
    }
    [("nickname", nickname), ("activated", activated), ("uuid", uuid)]
        .into_iter()
        .filter(|(_, differs)| *differs == Some(true))
        .map(|(field, _)| Difference::OtherUser { username: username.clone(), field })
        .collect()
}

/// Owner, friend, whether the entry is missing, and which texts differ: nothing where there is
/// nothing to compare.
type ComparedRow = (String, String, bool, Option<bool>, Option<bool>, Option<bool>);

fn compared((owner, friend, missing, remark, extension, server): ComparedRow) -> Vec<Difference> {
    let (owner, friend) = (Username::from_store(owner), Username::from_store(friend));
    if missing {
        return vec![Difference::MissingFriend { owner, friend }];
    }
    [("remark", remark), ("extension", extension), ("server_extension", server)]
        .into_iter()
        .filter(|(_, differs)| *differs == Some(true))
        .map(|(field, _)| Difference::OtherText {
            owner: owner.clone(),
            friend: friend.clone(),
            field,
        })
        .collect()
}
