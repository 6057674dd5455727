//! `friends` as entries of many lists at once: looked at together, and changed together.

use std::collections::HashSet;

use sqlx::{FromRow, PgConnection, query, query_as, query_scalar};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{all_changed, statements, users::uuids};
use crate::domain::{Error, Friend, OwnerKey, Username};

statements! {
    STANDING = "\
-- entries.standing
select asked.position
from unnest($1::uuid[], $2::text[]) with ordinality as asked (owner_key, name, position)
where (
    select not deleted
    from friends
    where owner_key = asked.owner_key
      and friend_name = asked.name
)";
    GET = "\
-- entries.get
select o.owner_key is not null as friend_exists, f.friend_name, f.version, f.remark, f.extension,
       f.server_extension, f.created_at, f.updated_at
from unnest($1::uuid[], $2::text[], $3::uuid[])
    with ordinality as asked (owner_key, friend_name, friend_key, position)
left join users o on o.owner_key = asked.friend_key and o.deleted_at is null
left join friends f on f.owner_key = asked.owner_key
    and f.friend_name = asked.friend_name
    and not f.deleted
order by asked.position";
    CHANGE = "\
-- entries.change
update friends f
set remark = changed.remark,
    extension = changed.extension,
    server_extension = changed.server_extension,
    version = changed.version,
    updated_at = $7
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
    as changed (owner_key, friend_name, remark, extension, server_extension, version)
where f.owner_key = changed.owner_key
  and f.friend_name = changed.friend_name
  and not f.deleted";
}

#[derive(FromRow)]
struct EntryRow {
    friend_exists: bool,
    friend_name: Option<String>,
    version: Option<i64>,
    remark: Option<String>,
    extension: Option<String>,
    server_extension: Option<String>,
    created_at: Option<OffsetDateTime>,
    updated_at: Option<OffsetDateTime>,
}

impl EntryRow {
    /// Whether the friend exists, and the entry if it stands.
    fn into_entry(self) -> (bool, Option<Friend>) {
        let exists = self.friend_exists;
        let entry = || {
            Some(Friend {
                username: Username::from_store(self.friend_name?),
                remark: self.remark?,
                extension: self.extension?,
                server_extension: self.server_extension?,
                // The owner's row is locked, and no entry goes without the locks of both.
                bidirectional: true,
                created_at: self.created_at?,
                updated_at: self.updated_at?,
                version: self.version?,
            })
        };
        (exists, entry())
    }
}

/// An entry as it is to be.
pub(crate) struct ChangedEntry<'a> {
    pub(crate) owner: OwnerKey,
    pub(crate) entry: &'a Friend,
}

/// Which of these entries stand, by their numbers from 0.
pub(crate) async fn standing(
    db: &mut PgConnection,
    asked: impl Iterator<Item = (OwnerKey, &Username)>,
) -> Result<HashSet<usize>, Error> {
    let (keys, names): (Vec<Uuid>, Vec<&str>) =
        asked.map(|(key, name)| (key.as_uuid(), name.as_str())).unzip();
    let positions: Vec<i64> = query_scalar(STANDING).bind(keys).bind(names).fetch_all(db).await?;
    Ok(positions.into_iter().filter_map(|at| usize::try_from(at - 1).ok()).collect())
}

/// Of each of these entries, in order, whether the friend exists, and the entry if it stands: in whose
/// list, of whom, and the friend's key. Their owners are locked.
pub(crate) async fn get(
    db: &mut PgConnection,
    asked: impl Iterator<Item = (OwnerKey, &Username, OwnerKey)>,
) -> Result<Vec<(bool, Option<Friend>)>, Error> {
    let (mut keys, mut names, mut friends) = (Vec::new(), Vec::new(), Vec::new());
    for (key, name, friend) in asked {
        keys.push(key.as_uuid());
        names.push(name.as_str());
        friends.push(friend.as_uuid());
    }
    let rows: Vec<EntryRow> =
        query_as(GET).bind(keys).bind(names).bind(friends).fetch_all(db).await?;
    Ok(rows.into_iter().map(EntryRow::into_entry).collect())
}

/// Writes texts and versions of entries that stand. Their owners are locked.
pub(crate) async fn change(
    db: &mut PgConnection,
    changed: &[ChangedEntry<'_>],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let owners: Vec<OwnerKey> = changed.iter().map(|c| c.owner).collect();
    let friends: Vec<&str> = changed.iter().map(|c| c.entry.username.as_str()).collect();
    let texts = |text: fn(&Friend) -> &str| -> Vec<&str> {
        changed.iter().map(|c| text(c.entry)).collect()
    };
    let versions: Vec<i64> = changed.iter().map(|c| c.entry.version).collect();
    let done = query(CHANGE)
        .bind(uuids(&owners))
        .bind(friends)
        .bind(texts(|entry| &entry.remark))
        .bind(texts(|entry| &entry.extension))
        .bind(texts(|entry| &entry.server_extension))
        .bind(versions)
        .bind(now)
        .execute(db)
        .await?;
    all_changed(done.rows_affected(), changed.len())
}
