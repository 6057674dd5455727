//! `friends`: friend lists, two rows a friendship, tombstones kept.

use sqlx::{FromRow, PgConnection, Row as _, postgres::PgRow, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{all_changed, statements, users::uuids};
use crate::domain::{Error, Friend, FriendEntry, OwnerKey, PageSize, Username};

statements! {
    GET = "\
-- friends.get
select f.friend_name, f.version, f.remark, f.extension, f.server_extension, f.created_at,
       f.updated_at,
       exists (
           select
           from friends
           where owner_key = $3
             and friend_name = $4
             and not deleted
       ) as bidirectional
from friends f
join users u on u.owner_key = f.owner_key and u.deleted_at is null
join users o on o.owner_key = $3 and o.deleted_at is null
where f.owner_key = $1
  and f.friend_name = $2
  and not f.deleted";
    ARE_FRIENDS = "\
-- friends.are_friends
select other.name
from unnest($2::text[]) as other (name)
where (
    select not deleted
    from friends
    where owner_key = $1
      and friend_name = other.name
)";
    NAMES = "\
-- friends.names
select friend_name
from friends
where owner_key = $1
  and not deleted
order by friend_name
limit $2";
    KEEPERS = "\
-- friends.keepers
select f.owner_key
from friends f
join users u on u.owner_key = f.owner_key and u.app_id = $1
where f.friend_name = $2
  and f.deleted
  and f.remark <> ''
order by f.owner_key
limit $3";
    PAGES = "\
-- friends.pages
select u.owner_key is not null as found, page.names, page.remarks
from unnest($1::uuid[], $2::text[], $3::bigint[])
    with ordinality as asked (owner_key, after, rows, position)
left join users u on u.owner_key = asked.owner_key and u.deleted_at is null
left join lateral (
    select string_agg(textsend(friend_name), '\\x00') as names,
           string_agg(textsend(remark), '\\x00') as remarks
    from (
        select friend_name, remark
        from friends
        where owner_key = u.owner_key
          and friend_name > asked.after
          and not deleted
        order by friend_name
        limit asked.rows
    ) entries
) page on true
order by asked.position";
    ALL = "\
-- friends.all
select array(
    select friend_name
    from friends
    where owner_key = u.owner_key
      and not deleted
    order by friend_name
)
from users u
where u.owner_key = $1
  and u.deleted_at is null";
    PUT = "\
-- friends.put
insert into friends as kept (owner_key, friend_name, version, server_extension, created_at,
                             updated_at)
select owner_key, friend_name, version, server_extension, $5, $5
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[])
    as fresh (owner_key, friend_name, version, server_extension)
on conflict (owner_key, friend_name) do update
set version = excluded.version,
    deleted = false,
    extension = '',
    server_extension = excluded.server_extension,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at
where kept.deleted";
    BURY = "\
-- friends.bury
update friends f
set version = gone.version,
    deleted = true,
    remark = case when gone.clear_remark then '' else f.remark end,
    extension = '',
    server_extension = '',
    updated_at = $5
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::boolean[])
    as gone (owner_key, friend_name, version, clear_remark)
where f.owner_key = gone.owner_key
  and f.friend_name = gone.friend_name
  and not f.deleted";
    FORGET_REMARK = "\
-- friends.forget_remark
update friends
set remark = ''
where owner_key = $1
  and friend_name = $2
  and deleted
  and remark <> ''";
    FORGET_REMARKS = "\
-- friends.forget_remarks
update friends
set remark = ''
where owner_key = $1
  and deleted
  and remark <> ''";
    FORGET_REMARKS_ON = "\
-- friends.forget_remarks_on
update friends
set remark = ''
where owner_key = any($1)
  and friend_name = $2
  and deleted
  and remark <> ''";
    MUTUAL = "\
-- friends.mutual
select f.friend_name
from friends f
join friends o on o.owner_key = $2 and o.friend_name = f.friend_name and not o.deleted
where f.owner_key = $1
  and f.friend_name > $3
  and not f.deleted
order by f.friend_name
limit $4";
}

#[derive(FromRow)]
struct FriendRow {
    friend_name: String,
    version: i64,
    remark: String,
    extension: String,
    server_extension: String,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
    bidirectional: bool,
}

impl From<FriendRow> for Friend {
    fn from(row: FriendRow) -> Self {
        Self {
            username: Username::from_store(row.friend_name),
            remark: row.remark,
            extension: row.extension,
            server_extension: row.server_extension,
            bidirectional: row.bidirectional,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        }
    }
}

/// An entry to make: at whose list, who, under which version, and with what.
pub(crate) struct NewEntry<'a> {
    pub(crate) owner: OwnerKey,
    pub(crate) friend: &'a Username,
    pub(crate) version: i64,
    pub(crate) server_extension: &'a str,
}

/// An entry to turn into a tombstone.
pub(crate) struct GoneEntry<'a> {
    pub(crate) owner: OwnerKey,
    pub(crate) friend: &'a Username,
    pub(crate) version: i64,
    pub(crate) clear_remark: bool,
}

/// One entry of a list; nothing when either user is deleted, also while the entry still waits for its
/// clean-up. `bidirectional` is looked up in the friend's list.
pub(crate) async fn get(
    db: &mut PgConnection,
    owner: (OwnerKey, &Username),
    friend: (OwnerKey, &Username),
) -> Result<Option<Friend>, Error> {
    let row: Option<FriendRow> = query_as(GET)
        .bind(owner.0.as_uuid())
        .bind(friend.1.as_str())
        .bind(friend.0.as_uuid())
        .bind(owner.1.as_str())
        .fetch_optional(db)
        .await?;
    Ok(row.map(Friend::from))
}

/// Which of the others are friends of a user. Looked up one by one: see `relations`.
pub(crate) async fn are_friends(
    db: &mut PgConnection,
    owner: OwnerKey,
    others: &[&Username],
) -> Result<Vec<Username>, Error> {
    let names: Vec<&str> = others.iter().map(|name| name.as_str()).collect();
    let found: Vec<String> =
        query_scalar(ARE_FRIENDS).bind(owner.as_uuid()).bind(names).fetch_all(db).await?;
    Ok(usernames(found))
}

/// The first `limit` friends of a user.
pub(crate) async fn names(
    db: &mut PgConnection,
    owner: OwnerKey,
    limit: i64,
) -> Result<Vec<Username>, Error> {
    let names: Vec<String> =
        query_scalar(NAMES).bind(owner.as_uuid()).bind(limit).fetch_all(db).await?;
    Ok(usernames(names))
}

/// Some of an app's users whose tombstones keep a remark on this one. Not looked up by that user's own
/// tombstones: those keep nothing, and may be purged already.
pub(crate) async fn keepers(
    db: &mut PgConnection,
    app_id: Uuid,
    friend: &Username,
    limit: i64,
) -> Result<Vec<OwnerKey>, Error> {
    let keys: Vec<Uuid> =
        query_scalar(KEEPERS).bind(app_id).bind(friend.as_str()).bind(limit).fetch_all(db).await?;
    Ok(keys.into_iter().map(OwnerKey::from_store).collect())
}

/// Entries as they were read: names and remarks in one piece each. Whoever needs the entries makes
/// them, by [`Self::entries`]: memory that one task takes and another gives back is dear.
pub(crate) struct Entries(Option<Joined>);

/// The names and the remarks of entries, each joined by [`JOINT`].
struct Joined {
    names: String,
    remarks: String,
}

impl Entries {
    fn read(list: &PgRow) -> Result<Self, Error> {
        let joined = |column| -> Result<Option<String>, Error> {
            let joined: Option<Vec<u8>> = list.try_get(column)?;
            let joined = joined.map(String::from_utf8).transpose();
            joined.map_err(|error| Error::Internal(error.to_string()))
        };
        let texts = joined("names")?.zip(joined("remarks")?);
        Ok(Self(texts.map(|(names, remarks)| Joined { names, remarks })))
    }

    /// The entries, in order.
    pub(crate) fn entries(&self) -> Vec<FriendEntry> {
        let Some(Joined { names, remarks }) = &self.0 else { return Vec::new() };
        let entry = |(name, remark): (&str, &str)| FriendEntry {
            username: Username::from_store(name.to_owned()),
            remark: remark.to_owned(),
        };
        let mut entries = Vec::with_capacity(names.matches(JOINT).count() + 1);
        entries.extend(names.split(JOINT).zip(remarks.split(JOINT)).map(entry));
        entries
    }
}

/// What `friends.pages` puts between texts: NUL, which none of them can hold.
const JOINT: char = '\0';

/// Of each list the entries in username order, after a name, so many; nothing for one that there is
/// no such user for.
pub(crate) async fn pages(
    db: &mut PgConnection,
    asked: impl Iterator<Item = (OwnerKey, &str, PageSize)>,
) -> Result<Vec<Option<Entries>>, Error> {
    let (mut keys, mut after, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for (key, name, size) in asked {
        keys.push(key.as_uuid());
        after.push(name);
        rows.push(size.rows_to_read());
    }
    let lists = query(PAGES).bind(keys).bind(after).bind(rows).fetch_all(db).await?;
    let page = |list: &PgRow| -> Result<Option<Entries>, Error> {
        list.try_get::<bool, _>("found")?.then(|| Entries::read(list)).transpose()
    };
    lists.iter().map(page).collect()
}

/// All friends' names in order; nothing when there is no such user.
pub(crate) async fn all(
    db: &mut PgConnection,
    owner: OwnerKey,
) -> Result<Option<Vec<Username>>, Error> {
    let names: Option<Vec<String>> =
        query_scalar(ALL).bind(owner.as_uuid()).fetch_optional(db).await?;
    Ok(names.map(usernames))
}

/// Makes entries, each anew or from its tombstone, whose remark it keeps.
pub(crate) async fn put(
    db: &mut PgConnection,
    entries: &[NewEntry<'_>],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let owners: Vec<OwnerKey> = entries.iter().map(|e| e.owner).collect();
    let friends: Vec<&str> = entries.iter().map(|e| e.friend.as_str()).collect();
    let versions: Vec<i64> = entries.iter().map(|e| e.version).collect();
    let extensions: Vec<&str> = entries.iter().map(|e| e.server_extension).collect();
    let done = query(PUT)
        .bind(uuids(&owners))
        .bind(friends)
        .bind(versions)
        .bind(extensions)
        .bind(now)
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), entries.len())
}

/// Turns entries into tombstones.
pub(crate) async fn bury(
    db: &mut PgConnection,
    entries: &[GoneEntry<'_>],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let owners: Vec<OwnerKey> = entries.iter().map(|e| e.owner).collect();
    let friends: Vec<&str> = entries.iter().map(|e| e.friend.as_str()).collect();
    let versions: Vec<i64> = entries.iter().map(|e| e.version).collect();
    let clear: Vec<bool> = entries.iter().map(|e| e.clear_remark).collect();
    let done = query(BURY)
        .bind(uuids(&owners))
        .bind(friends)
        .bind(versions)
        .bind(clear)
        .bind(now)
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), entries.len())
}

/// Clears the remark that a tombstone keeps. Nobody sees a tombstone's remark, so no version is
/// taken.
pub(crate) async fn forget_remark(
    db: &mut PgConnection,
    owner: OwnerKey,
    friend: &Username,
) -> Result<(), Error> {
    query(FORGET_REMARK).bind(owner.as_uuid()).bind(friend.as_str()).execute(db).await?;
    Ok(())
}

/// Clears the remarks that all tombstones of a list keep.
pub(crate) async fn forget_remarks(db: &mut PgConnection, owner: OwnerKey) -> Result<(), Error> {
    query(FORGET_REMARKS).bind(owner.as_uuid()).execute(db).await?;
    Ok(())
}

/// Clears the remarks on one friend that tombstones of these owners' lists keep.
pub(crate) async fn forget_remarks_on(
    db: &mut PgConnection,
    owners: &[OwnerKey],
    friend: &Username,
) -> Result<(), Error> {
    query(FORGET_REMARKS_ON).bind(uuids(owners)).bind(friend.as_str()).execute(db).await?;
    Ok(())
}

/// Users who are friends of both, in name order after `after`.
pub(crate) async fn mutual(
    db: &mut PgConnection,
    users: [OwnerKey; 2],
    after: &str,
    rows: i64,
) -> Result<Vec<Username>, Error> {
    let names: Vec<String> = query_scalar(MUTUAL)
        .bind(users[0].as_uuid())
        .bind(users[1].as_uuid())
        .bind(after)
        .bind(rows)
        .fetch_all(db)
        .await?;
    Ok(usernames(names))
}

fn usernames(names: Vec<String>) -> Vec<Username> {
    names.into_iter().map(Username::from_store).collect()
}
