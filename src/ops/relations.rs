//! "May A write to B?"

use tokio::time::Instant;

use super::{
    Call,
    coalesce::{Outcome, Shared, Turn},
    found,
};
use crate::{
    domain::{Error, OwnerKey, Relation, Username},
    store::{Db, relations},
};

/// How a user stands to each of the others, in their order. An other who does not exist has no
/// relation.
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
        let check = Check { call: call.clone(), user: key, other: other.clone() };
        let relation = call.core.turns.checks.join(check).await?;
        return Ok(vec![found(relation, user)?]);
    }
    found(call.core.db.read(async |db| relations::check(db, key, others).await).await?, user)
}

/// A check of one other: what a message service asks for every message.
pub(super) struct Check {
    call: Call,
    user: OwnerKey,
    other: Username,
}

impl Shared for Check {
    /// Nothing when there is no such user.
    type Answer = Option<Relation>;

    const SHORT: bool = true;

    fn db(&self) -> &Db {
        &self.call.core.db
    }

    fn deadline(&self) -> Instant {
        self.call.deadline
    }

    async fn together(checks: &[Self], _: Turn) -> Result<Vec<Outcome<Option<Relation>>>, Error> {
        let Some(first) = checks.first() else { return Ok(Vec::new()) };
        let relations = first.call.core.db.read_once(async |db| {
            let pairs = checks.iter().map(|check| (check.user, &check.other));
            relations::check_pairs(db, pairs).await
        });
        Ok(relations.await?.into_iter().map(|relation| Outcome::Done(Ok(relation))).collect())
    }
}
