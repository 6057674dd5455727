//! Records that are staged before they are imported, so that both directions of a friendship are imported
//! together, whichever files they are in.

use futures_util::TryStreamExt as _;
use sqlx::{Connection as _, PgConnection};

use crate::{
    domain::{BlockRecord, Difference, Error, FriendRecord, Place, UserRecord},
    ops::core::{Context, Core},
    store::{comparisons, staging},
};

/// A session with temporary tables of records. No other session sees them, and they are gone when it
/// closes.
pub struct Staging {
    pub(super) session: PgConnection,
}

impl Staging {
    /// Opens a session with empty tables.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn open(core: &Core) -> Result<Self, Error> {
        let mut session = core.db.session().await?;
        staging::create(&mut session).await?;
        Ok(Self { session })
    }

    /// Stages users, to compare with.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn users(
        &mut self,
        context: &Context,
        users: &[(Place, UserRecord)],
    ) -> Result<(), Error> {
        let keyed = users.iter().map(|(place, user)| (*place, context.key(&user.username), user));
        staging::users(&mut self.session, keyed).await
    }

    /// Stages friend records.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn friends(
        &mut self,
        context: &Context,
        records: &[(Place, FriendRecord)],
    ) -> Result<(), Error> {
        let keyed = records.iter().map(|(place, record)| {
            (*place, [context.key(&record.owner), context.key(&record.friend)], record)
        });
        staging::friends(&mut self.session, keyed).await
    }

    /// Stages block records.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn blocks(
        &mut self,
        context: &Context,
        records: &[(Place, BlockRecord)],
    ) -> Result<(), Error> {
        let keyed = records.iter().map(|(place, record)| {
            (*place, [context.key(&record.owner), context.key(&record.blocked)], record)
        });
        staging::blocks(&mut self.session, keyed).await
    }

    /// Notes that all records are staged: from here on Postgres plans by how many there are.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn complete(&mut self) -> Result<(), Error> {
        staging::analyze(&mut self.session).await
    }

    /// Tells how the staged records differ from what befriend holds. Only lists of staged users are
    /// compared.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn compare(&mut self, mut tell: impl FnMut(Difference)) -> Result<(), Error> {
        for comparison in comparisons::COMPARISONS {
            let mut found = comparisons::compare(&mut self.session, comparison);
            while let Some(differences) = found.try_next().await? {
                differences.into_iter().for_each(&mut tell);
            }
        }
        Ok(())
    }

    /// Closes the session, and with it the records are gone.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn close(self) -> Result<(), Error> {
        Ok(self.session.close().await?)
    }
}
