//! `outbox_leases` and `relays`: which instance delivers which part of the outbox.
//!
//! Lease times are the database's (`now()`), so that instances whose clocks differ agree on who holds
//! what.

use sqlx::{PgConnection, query, query_as, query_scalar};
use uuid::Uuid;

use super::statements;
use crate::domain::Error;

statements! {
    SEEN = "\
-- leases.seen
insert into relays (relay_id, seen_at)
values ($1, now())
on conflict (relay_id) do update
set seen_at = excluded.seen_at";
    ALIVE = "\
-- leases.alive
select count(*)
from relays
where seen_at > now() - make_interval(secs => $1)";
    FORGET_DEAD = "\
-- leases.forget_dead
delete from relays
where seen_at < now() - make_interval(secs => $1)";
    RENEW = "\
-- leases.renew
update outbox_leases
set until = now() + make_interval(secs => $2)
where holder = $1
  and until > now()
returning part, token";
    CLAIM = "\
-- leases.claim
update outbox_leases
set holder = $1,
    token = token + 1,
    until = now() + make_interval(secs => $2)
where part in (
    select part
    from outbox_leases
    where holder is null
       or until <= now()
    order by part
    limit $3
    for update skip locked
)
returning part, token";
    RELEASE = "\
-- leases.release
update outbox_leases
set holder = null,
    until = null
where holder = $1
  and part = any($2)";
    LEAVE = "\
-- leases.leave
delete from relays
where relay_id = $1";
    FENCE = "\
-- leases.fence
select l.part, l.token
from outbox_leases l
join unnest($2::smallint[], $3::bigint[]) as mine (part, token)
    on mine.part = l.part and mine.token = l.token
where l.holder = $1
for share of l";
}

/// Says that a relay is alive, and returns how many are, this one included, within `secs` seconds.
pub(crate) async fn seen(db: &mut PgConnection, relay: Uuid, secs: f64) -> Result<i64, Error> {
    query(SEEN).bind(relay).execute(&mut *db).await?;
    query(FORGET_DEAD).bind(secs * 10.0).execute(&mut *db).await?;
    Ok(query_scalar(ALIVE).bind(secs).fetch_one(db).await?)
}

/// Renews all leases of a relay that have not run out; returns the parts with their tokens.
pub(crate) async fn renew(
    db: &mut PgConnection,
    relay: Uuid,
    secs: f64,
) -> Result<Vec<(i16, i64)>, Error> {
    Ok(query_as(RENEW).bind(relay).bind(secs).fetch_all(db).await?)
}

/// Leases up to `count` parts that nobody holds.
pub(crate) async fn claim(
    db: &mut PgConnection,
    relay: Uuid,
    secs: f64,
    count: i64,
) -> Result<Vec<(i16, i64)>, Error> {
    Ok(query_as(CLAIM).bind(relay).bind(secs).bind(count).fetch_all(db).await?)
}

/// Gives parts back.
pub(crate) async fn release(
    db: &mut PgConnection,
    relay: Uuid,
    parts: &[i16],
) -> Result<(), Error> {
    query(RELEASE).bind(relay).bind(parts).execute(db).await?;
    Ok(())
}

/// Takes a relay out of the count.
pub(crate) async fn leave(db: &mut PgConnection, relay: Uuid) -> Result<(), Error> {
    query(LEAVE).bind(relay).execute(db).await?;
    Ok(())
}

/// Those of the parts that the relay still holds under these tokens; nobody can take them over until
/// the transaction ends.
pub(crate) async fn fence(
    db: &mut PgConnection,
    relay: Uuid,
    held: &[(i16, i64)],
) -> Result<Vec<(i16, i64)>, Error> {
    let (parts, tokens): (Vec<i16>, Vec<i64>) = held.iter().copied().unzip();
    Ok(query_as(FENCE).bind(relay).bind(parts).bind(tokens).fetch_all(db).await?)
}
