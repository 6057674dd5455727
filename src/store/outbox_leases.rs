//! `outbox_leases` and `dispatchers`: which instance delivers which partition of the outbox.
//!
//! All times here are the database's own (`now()`), so that instances whose clocks differ agree on when a
//! lease ends.

use sqlx::{PgConnection, query, query_as};
use uuid::Uuid;

use super::statements;
use crate::domain::Error;

statements! {
    MARK_ALIVE = "\
-- outbox_leases.mark_alive
insert into dispatchers (dispatcher_id, seen_at, allows_private)
values ($1, now(), $2)
on conflict (dispatcher_id) do update
set seen_at = excluded.seen_at,
    allows_private = excluded.allows_private";
    REMOVE_DEAD = "\
-- outbox_leases.remove_dead
delete from dispatchers
where seen_at < now() - make_interval(secs => $1)";
    COUNT_ALIVE = "\
-- outbox_leases.count_alive
select count(*), count(*) filter (where allows_private <> $2)
from dispatchers
where seen_at > now() - make_interval(secs => $1)";
    LEAVE = "\
-- outbox_leases.leave
delete from dispatchers
where dispatcher_id = $1";
    RENEW = "\
-- outbox_leases.renew
update outbox_leases
set until = now() + make_interval(secs => $2)
where holder = $1
  and until > now()
returning partition, fencing_token";
    CLAIM = "\
-- outbox_leases.claim
update outbox_leases
set holder = $1,
    fencing_token = fencing_token + 1,
    until = now() + make_interval(secs => $2)
where partition in (
    select partition
    from outbox_leases
    where holder is null
       or until <= now()
    order by partition
    limit $3
    for update skip locked
)
returning partition, fencing_token";
    RELEASE = "\
-- outbox_leases.release
update outbox_leases
set holder = null,
    until = null
where holder = $1
  and partition = any($2)";
    FENCE = "\
-- outbox_leases.fence
select l.partition, l.fencing_token
from outbox_leases l
join unnest($2::smallint[], $3::bigint[]) as mine (partition, fencing_token)
    on mine.partition = l.partition and mine.fencing_token = l.fencing_token
where l.holder = $1
for share of l";
}

/// Writes that a dispatcher is alive now, and whether it lets callbacks go to private addresses.
pub(crate) async fn mark_alive(
    db: &mut PgConnection,
    dispatcher_id: Uuid,
    allows_private: bool,
) -> Result<(), Error> {
    query(MARK_ALIVE).bind(dispatcher_id).bind(allows_private).execute(db).await?;
    Ok(())
}

/// Deletes dispatchers that were last alive more than `seconds` ago.
pub(crate) async fn remove_dead(db: &mut PgConnection, seconds: f64) -> Result<(), Error> {
    query(REMOVE_DEAD).bind(seconds).execute(db).await?;
    Ok(())
}

/// How many dispatchers were alive within the last `seconds`, and how many of them say otherwise than
/// `allows_private`.
pub(crate) async fn count_alive(
    db: &mut PgConnection,
    seconds: f64,
    allows_private: bool,
) -> Result<(i64, i64), Error> {
    Ok(query_as(COUNT_ALIVE).bind(seconds).bind(allows_private).fetch_one(db).await?)
}

/// Deletes a dispatcher that is stopping, so that the others claim its share.
pub(crate) async fn leave(db: &mut PgConnection, dispatcher_id: Uuid) -> Result<(), Error> {
    query(LEAVE).bind(dispatcher_id).execute(db).await?;
    Ok(())
}

/// Renews all leases of a dispatcher that have not ended, for `seconds` from now. Returns the partitions
/// with their fencing tokens.
pub(crate) async fn renew(
    db: &mut PgConnection,
    dispatcher_id: Uuid,
    seconds: f64,
) -> Result<Vec<(i16, i64)>, Error> {
    Ok(query_as(RENEW).bind(dispatcher_id).bind(seconds).fetch_all(db).await?)
}

/// Leases up to `count` partitions that no dispatcher holds, for `seconds` from now. Returns them with
/// their new fencing tokens.
pub(crate) async fn claim(
    db: &mut PgConnection,
    dispatcher_id: Uuid,
    seconds: f64,
    count: i64,
) -> Result<Vec<(i16, i64)>, Error> {
    Ok(query_as(CLAIM).bind(dispatcher_id).bind(seconds).bind(count).fetch_all(db).await?)
}

/// Releases partitions that the dispatcher holds.
pub(crate) async fn release(
    db: &mut PgConnection,
    dispatcher_id: Uuid,
    partitions: &[i16],
) -> Result<(), Error> {
    query(RELEASE).bind(dispatcher_id).bind(partitions).execute(db).await?;
    Ok(())
}

/// Those of `leases`, partitions with their fencing tokens, that the dispatcher still holds. No other
/// dispatcher can claim them until the transaction ends.
pub(crate) async fn fence(
    db: &mut PgConnection,
    dispatcher_id: Uuid,
    leases: &[(i16, i64)],
) -> Result<Vec<(i16, i64)>, Error> {
    let (partitions, fencing_tokens): (Vec<i16>, Vec<i64>) = leases.iter().copied().unzip();
    let query = query_as(FENCE).bind(dispatcher_id).bind(partitions).bind(fencing_tokens);
    Ok(query.fetch_all(db).await?)
}
