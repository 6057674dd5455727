//! How a user stands to others: friend, blocking, blocked. A message service calls this before it
//! delivers a message.

use super::{batch::check_relation::CheckRelation, call::Call, found};
use crate::{
    domain::{Error, Relation, Username},
    store::relations,
};

/// How a user stands to each of the others, in their order. A user has no relation to an other who does
/// not exist.
///
/// # Errors
/// `UserNotFound` for the user.
pub async fn check(
    call: &Call,
    user: &Username,
    others: &[Username],
) -> Result<Vec<Relation>, Error> {
    let key = call.key(user);
    if let [other] = others {
        let context = call.context.clone();
        let item = CheckRelation { context, user: key, other: other.clone() };
        let relation = call.batchers.check_relation.submit(item).await?;
        return Ok(vec![found(relation, user)?]);
    }
    let relations = call.core.db.read(async |db| relations::check(db, key, others).await);
    found(relations.await?, user)
}
