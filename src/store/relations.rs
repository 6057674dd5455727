//! How a user stands to others: the hottest read. One statement, one user's rows, primary keys only.

use sqlx::{PgConnection, query_as};

use super::statements;
use crate::domain::{Error, OwnerKey, Relation, Username};

statements! {
    CHECK = "\
-- relations.check
select f.friend_name is not null,
       b.blocked_name is not null,
       y.blocker_name is not null
from users u
cross join unnest($2::text[]) with ordinality as other (name, position)
left join friends f
    on f.owner_key = u.owner_key and f.friend_name = other.name and not f.deleted
left join blocks b
    on b.owner_key = u.owner_key and b.blocked_name = other.name and not b.deleted
left join blocked_by y
    on y.owner_key = u.owner_key and y.blocker_name = other.name
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
