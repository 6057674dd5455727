//! A call of an operation.

use std::{ops::Deref, sync::Arc};

use super::{batch::Batchers, core::Context};

/// A call on behalf of an app that the gate has authenticated.
#[derive(Clone, Debug)]
pub struct Call {
    /// For which app, and until when the caller waits.
    pub context: Context,
    /// The batchers by which the call runs together with others.
    pub batchers: Arc<Batchers>,
}

impl Call {
    /// A call of a command. It has batchers of its own, so it runs together with no other call.
    #[must_use]
    pub fn alone(context: Context) -> Self {
        Self { context, batchers: Arc::default() }
    }
}

impl Deref for Call {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.context
    }
}
