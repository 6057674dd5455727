//! A call of an operation.

use std::{ops::Deref, sync::Arc};

use super::{batch::Batchers, core::Context};

/// A call in the name of an app, whose token the caller showed.
#[derive(Clone, Debug)]
pub struct Call {
    /// For which app, and until when the caller waits.
    pub context: Context,
    /// Where the call can run together with others.
    pub batchers: Arc<Batchers>,
}

impl Call {
    /// A call that runs together with no others, as those of a command do.
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
