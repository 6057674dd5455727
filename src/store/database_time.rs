//! The database's time of day, by which all instances go.

use sqlx::{PgConnection, query_scalar};
use time::OffsetDateTime;

use super::statements;
use crate::domain::Error;

statements! {
    TELL = "\
-- database_time.tell
select clock_timestamp()";
}

/// The time now.
pub(crate) async fn tell(db: &mut PgConnection) -> Result<OffsetDateTime, Error> {
    Ok(query_scalar(TELL).fetch_one(db).await?)
}
