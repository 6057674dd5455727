//! A call of an operation.

use std::{net::IpAddr, ops::Deref, sync::Arc};

use tokio::time::Instant;

use super::{
    batch::Batchers,
    core::{Context, Core},
};
use crate::domain::{ActorKind, App, Author};

/// A call in an app, by the app itself or by an operator.
#[derive(Clone, Debug)]
pub struct Call {
    /// For which app, and until when the caller waits.
    pub context: Context,
    /// The batchers by which the call runs together with others.
    pub batchers: Arc<Batchers>,
    /// Who calls; `None` for the app itself. Shared, because few calls need it and all are moved around.
    pub author: Option<Arc<Author>>,
    /// The address that the call came from.
    pub from: Option<IpAddr>,
}

impl Call {
    /// A call of a command. It has batchers of its own, so it runs together with no other call.
    #[must_use]
    pub fn alone(context: Context, author: Author) -> Self {
        Self { context, batchers: Arc::default(), author: Some(Arc::new(author)), from: None }
    }

    /// Who calls, and from where.
    #[must_use]
    pub fn author(&self) -> Author {
        self.author.as_deref().cloned().unwrap_or_else(|| app_as_author(&self.app, self.from))
    }
}

/// An app that changes something by its own credentials, from an address.
#[must_use]
pub(super) fn app_as_author(app: &App, from: Option<IpAddr>) -> Author {
    Author { kind: ActorKind::App, name: app.client_id.clone(), origin: origin(from) }
}

/// An address as records have it: one of IPv4 looks the same however the service listens.
#[must_use]
pub fn origin(from: Option<IpAddr>) -> String {
    from.map(|address| address.to_canonical().to_string()).unwrap_or_default()
}

impl Deref for Call {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}

/// A call that concerns the installation: by an operator, or at the console.
#[derive(Clone, Debug)]
pub struct OperatorCall {
    /// What the instance shares.
    pub core: Arc<Core>,
    /// Who calls, and from where.
    pub author: Author,
    /// Until when the caller waits.
    pub deadline: Instant,
}
