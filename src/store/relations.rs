//! How a user stands to others: the hottest read. One statement, one user's rows, primary keys only.
//!
//! Each other is looked up by a scalar subquery, which Postgres can't turn into a join: a join reads
//! the user's whole list, however long, because it is planned for lists of average length.

use sqlx::{PgConnection, query_as};

use super::statements;
use crate::domain::{Error, OwnerKey, Relation, Username};

statements! {
    CHECK = "\
-- relations.check
select coalesce((
           select not deleted
           from friends
           where owner_key = $1
             and friend_name = other.name
       ), false) as is_friend,
       coalesce((
           select not deleted
           from blocks
           where owner_key = $1
             and blocked_name = other.name
       ), false) as blocks,
       coalesce((
           select true
           from blocked_by
           where owner_key = $1
             and blocker_name = other.name
       ), false) as blocked_by
from users u
cross join unnest($2::text[]) with ordinality as other (name, position)
where u.owner_key = $1
  and u.deleted_at is null
order by other.position";
}

/// The relation of a user to each of the others, in their order; nothing when there is no such user.
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
