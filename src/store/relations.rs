//! How a user stands to others: the most frequent read. It is one statement over one user's rows, found by
//! primary keys only. An other who is deleted and still being removed from lists counts as nobody: for each
//! row that is found, the index of those few users tells.
//!
//! Each other user is looked up by a scalar subquery, which Postgres can't turn into a join. A join would
//! read the user's whole list, however long, because it is planned for lists of average length.

use sqlx::{PgConnection, query_as};
use uuid::Uuid;

use super::statements;
use crate::domain::{Error, OwnerKey, Relation, Username};

statements! {
    CHECK = "\
-- relations.check
select coalesce((
           select not deleted and not exists (
               select
               from users
               where app_id = u.app_id
                 and username = other.name
                 and leaving
           )
           from friends
           where owner_key = $1
             and friend_name = other.name
       ), false) as is_friend,
       coalesce((
           select not deleted and not exists (
               select
               from users
               where app_id = u.app_id
                 and username = other.name
                 and leaving
           )
           from blocks
           where owner_key = $1
             and blocked_name = other.name
       ), false) as blocks,
       coalesce((
           select not exists (
               select
               from users
               where app_id = u.app_id
                 and username = other.name
                 and leaving
           )
           from blocked_by
           where owner_key = $1
             and blocker_name = other.name
       ), false) as blocked_by
from users u
cross join unnest($2::text[]) with ordinality as other (name, position)
where u.owner_key = $1
  and u.deleted_at is null
order by other.position";
    CHECK_PAIRS = "\
-- relations.check_pairs
select u.owner_key is not null as found,
       coalesce((
           select not deleted and not exists (
               select
               from users
               where app_id = u.app_id
                 and username = asked.name
                 and leaving
           )
           from friends
           where owner_key = asked.owner_key
             and friend_name = asked.name
       ), false) as is_friend,
       coalesce((
           select not deleted and not exists (
               select
               from users
               where app_id = u.app_id
                 and username = asked.name
                 and leaving
           )
           from blocks
           where owner_key = asked.owner_key
             and blocked_name = asked.name
       ), false) as blocks,
       coalesce((
           select not exists (
               select
               from users
               where app_id = u.app_id
                 and username = asked.name
                 and leaving
           )
           from blocked_by
           where owner_key = asked.owner_key
             and blocker_name = asked.name
       ), false) as blocked_by
from unnest($1::uuid[], $2::text[]) with ordinality as asked (owner_key, name, position)
left join users u on u.owner_key = asked.owner_key and u.deleted_at is null
order by asked.position";
}

/// The relation of each user to one other, in order; `None` where there is no such user.
pub(crate) async fn check_pairs(
    db: &mut PgConnection,
    pairs: impl Iterator<Item = (OwnerKey, &Username)>,
) -> Result<Vec<Option<Relation>>, Error> {
    let (keys, names): (Vec<Uuid>, Vec<&str>) =
        pairs.map(|(key, name)| (key.as_uuid(), name.as_str())).unzip();
    let rows: Vec<(bool, bool, bool, bool)> =
        query_as(CHECK_PAIRS).bind(keys).bind(names).fetch_all(db).await?;
    let relations = rows.into_iter().map(|(found, is_friend, blocks, blocked_by)| {
        found.then_some(Relation { is_friend, blocks, blocked_by })
    });
    Ok(relations.collect())
}

/// The relation of a user to each of the others, in their order; `None` when there is no such user.
pub(crate) async fn check(
    db: &mut PgConnection,
    user: OwnerKey,
    others: &[Username],
) -> Result<Option<Vec<Relation>>, Error> {
    let names: Vec<&str> = others.iter().map(Username::as_str).collect();
    let rows: Vec<(bool, bool, bool)> =
        query_as(CHECK).bind(user.as_uuid()).bind(names).fetch_all(db).await?;
    if rows.is_empty() {
        return Ok(None);
    }
    Ok(Some(
        rows.into_iter()
            .map(|(is_friend, blocks, blocked_by)| Relation { is_friend, blocks, blocked_by })
            .collect(),
    ))
}
