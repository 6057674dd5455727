//! "May A write to B?"

use super::{Call, found};
use crate::{
    domain::{Error, Relation, Username},
    store::relations,
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
    let answer = call.core.db.retrying(|| async {
        let mut db = call.core.db.read().await?;
        let answer = relations::check(&mut db, call.key(user), others).await;
        db.done(answer)
    });
    found(answer.await?, user)
}
