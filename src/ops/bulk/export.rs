//! Reading an app as a whole.

use futures_util::{StreamExt as _, stream::BoxStream};
use sqlx::PgConnection;

use crate::{
    domain::{Error, Record},
    ops::core::{Context, Core},
    store::export,
};

/// A connection over which an app is read as a whole.
pub struct Export(PgConnection);

impl Export {
    /// Connects.
    ///
    /// # Errors
    /// Only those of the database.
    pub async fn open(core: &Core) -> Result<Self, Error> {
        Ok(Self(core.db.session().await?))
    }

    /// Everything of the app as of one moment: users by name, then friends by owner and name,
    /// then blocks by owner, the oldest first.
    pub fn records(&mut self, context: &Context) -> BoxStream<'_, Result<Record, Error>> {
        export::records(&mut self.0, context.app.id).boxed()
    }
}
