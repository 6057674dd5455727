//! What an operator wants to know of the database, and no call needs.

use sqlx::{PgConnection, query_as};
use time::OffsetDateTime;

use super::statements;
use crate::domain::Error;

statements! {
    STATE = "\
-- observe.state
select min(o.began), pg_database_size(current_database())
from (
    select xact_start
    from pg_stat_activity
    where datname = current_database()
      and backend_xmin is not null
      and backend_type <> 'autovacuum worker'
      and pid <> pg_backend_pid()
    union all
    select prepared
    from pg_prepared_xacts
    where database = current_database()
) o (began)";
}

/// The state of the database.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State {
    /// When the oldest transaction began whose snapshot keeps dead rows from being removed. Without the role
    /// `pg_read_all_stats` only those of this service's own role are seen.
    pub(crate) oldest_snapshot: Option<OffsetDateTime>,
    /// The size of the database, in bytes.
    pub(crate) size: i64,
}

/// The state of the database now. It looks at every file of the database: not for each call.
pub(crate) async fn state(db: &mut PgConnection) -> Result<State, Error> {
    let (oldest_snapshot, size) = query_as(STATE).fetch_one(db).await?;
    Ok(State { oldest_snapshot, size })
}
