//! A value that is replaced while others read it: a secret that was read again from its file.

use std::sync::{PoisonError, RwLock};

/// Cheap to read for as long as `T` is cheap to clone.
#[derive(Debug, Default)]
pub struct Replaceable<T>(RwLock<T>);

impl<T: Clone> Replaceable<T> {
    /// Holds `value` until it is replaced.
    pub fn new(value: T) -> Self {
        Self(RwLock::new(value))
    }

    /// The value of now. A reader keeps it, whatever replaces it meanwhile.
    #[must_use]
    pub fn get(&self) -> T {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the value for all readers from now on.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = value;
    }
}
