//! `friends` as callers read it: one entry, pages, whole lists, mutual friends.

use sqlx::{FromRow, PgConnection, Row as _, postgres::PgRow, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{statements, users::usernames};
use crate::domain::{Error, Friend, FriendEntry, OwnerKey, PageSize, UserRef, Username};

statements! {
    GET = "\
-- friend_lists.get
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
    PAGES = "\
-- friend_lists.pages
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
-- friend_lists.all
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
    MUTUAL = "\
-- friend_lists.mutual
select f.friend_name
from friends f
join friends o on o.owner_key = $2 and o.friend_name = f.friend_name and not o.deleted
where f.owner_key = $1
  and f.friend_name > $3
  and not f.deleted
  and not exists (
      select
      from users
      where app_id = $5
        and username = f.friend_name
        and leaving
  )
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

/// One entry of a list; `None` also when either user is deleted and the entry waits to be removed.
/// `bidirectional` is looked up in the friend's list.
pub(crate) async fn get(
    db: &mut PgConnection,
    owner: UserRef<'_>,
    friend: UserRef<'_>,
) -> Result<Option<Friend>, Error> {
    let row: Option<FriendRow> = query_as(GET)
        .bind(owner.key.as_uuid())
        .bind(friend.name.as_str())
        .bind(friend.key.as_uuid())
        .bind(owner.name.as_str())
        .fetch_optional(db)
        .await?;
    Ok(row.map(Friend::from))
}

/// A page of entries as it was read: all names in one text, all remarks in another. The task that
/// renders the page cuts them up by [`Self::entries`], because memory that one task allocates and another
/// one frees is expensive.
pub(crate) struct Entries(Option<Joined>);

/// The names and the remarks of entries, each joined by [`SEPARATOR`].
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
        let mut entries = Vec::with_capacity(names.matches(SEPARATOR).count() + 1);
        entries.extend(names.split(SEPARATOR).zip(remarks.split(SEPARATOR)).map(entry));
        entries
    }
}

/// What `friend_lists.pages` puts between texts: NUL, which no text of Postgres can hold.
const SEPARATOR: char = '\0';

/// A page of each of these friend lists: the owner, the name after which it begins, and its size. `None`
/// for an owner who does not exist.
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

/// All friends' names in order; `None` when there is no such user.
pub(crate) async fn all(
    db: &mut PgConnection,
    owner: OwnerKey,
) -> Result<Option<Vec<Username>>, Error> {
    let names: Option<Vec<String>> =
        query_scalar(ALL).bind(owner.as_uuid()).fetch_optional(db).await?;
    Ok(names.map(usernames))
}

/// Users who are friends of both, in name order after `after`, without deleted ones whose entries wait to
/// be removed.
pub(crate) async fn mutual(
    db: &mut PgConnection,
    app_id: Uuid,
    users: [OwnerKey; 2],
    after: &str,
    rows: i64,
) -> Result<Vec<Username>, Error> {
    let names: Vec<String> = query_scalar(MUTUAL)
        .bind(users[0].as_uuid())
        .bind(users[1].as_uuid())
        .bind(after)
        .bind(rows)
        .bind(app_id)
        .fetch_all(db)
        .await?;
    Ok(usernames(names))
}
