//! Calls of operators, once the gate has let them through.

use std::sync::Arc;

use super::Admitted;
use crate::{
    domain::{ActorKind, AppKey, Author, Error, Invalid},
    ops::{Call, OperatorCall, access::apps, origin},
};

impl Admitted {
    /// Like [`Self::start`], for a call of an operator.
    ///
    /// # Errors
    /// As [`Self::start`]; `Unauthenticated` when the gate has authenticated no operator.
    pub fn start_operator_call(self) -> Result<OperatorCall, Error> {
        let author = self.operator().ok_or(Error::Unauthenticated)?;
        let deadline = self.start()?;
        Ok(OperatorCall { core: Arc::clone(self.gate.core()), author, deadline })
    }

    /// Like [`Self::start_call`], for a call that an app makes, or an operator in the app of `app_key`. An
    /// app may leave its own key out.
    ///
    /// # Errors
    /// As [`Self::start_call`]; `Invalid` for a key that is missing, malformed, or not that of the app
    /// which calls; `AppNotFound`.
    pub async fn start_call_in(self, app_key: &str) -> Result<Call, Error> {
        let Some(author) = self.operator() else {
            let own = self.app.as_ref().is_none_or(|app| app.key.as_str() == app_key);
            if own || app_key.is_empty() {
                return self.start_call();
            }
            let why = "must be empty or the key of the token's own app";
            return Err(Invalid::argument("app_key", why).into());
        };
        let deadline = self.start()?;
        let key = AppKey::parse("app_key", app_key)?;
        let app = apps::get(self.gate.core(), &key).await?;
        Ok(self.call(Arc::new(app), deadline, Some(Arc::new(author))))
    }

    /// The operator who calls, as the author of changes.
    fn operator(&self) -> Option<Author> {
        let operator = self.operator.as_ref()?;
        let origin = origin(self.from);
        Some(match &operator.name {
            Some(name) => {
                Author { kind: ActorKind::Operator, name: name.as_str().to_owned(), origin }
            }
            None => Author { kind: ActorKind::Root, name: String::new(), origin },
        })
    }
}
