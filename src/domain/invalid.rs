//! What is wrong with a request's arguments.

use std::fmt;

/// What is wrong with a request. `field` is the path of a field of the request, as "usernames\[2\]".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A user named as their own friend, or as blocked by themselves.
    #[error("{field}: {username} can't have a relation to themselves")]
    SelfRelation {
        /// The field that names the same user again.
        field: String,
        /// The user.
        username: String,
    },
    /// A text that can't be a username.
    #[error("{field}: must be 1-64 bytes of a-z 0-9 _ . - @")]
    Username {
        /// The field.
        field: String,
    },
    /// A text that can't be a remark.
    #[error("{field}: {why}")]
    Remark {
        /// The field.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// A text that can't be an extension.
    #[error("{field}: {why}")]
    Extension {
        /// The field.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// A page token that was not issued for this list and call.
    #[error("page_token: was not given out for this list by this version of the service")]
    PageToken,
    /// A page size out of range.
    #[error("page_size: must be between 0 and {max}")]
    PageSize {
        /// The largest.
        max: i32,
    },
    /// A version that the list has not reached.
    #[error("since_version: must be between 0 and the list's version, {version}")]
    VersionAhead {
        /// The list's version.
        version: i64,
    },
    /// A repeated field with too many entries.
    #[error("{field}: must hold at most {max} entries")]
    BatchTooLarge {
        /// The field.
        field: &'static str,
        /// How many entries it may have.
        max: usize,
    },
    /// Any other field that is wrong.
    #[error("{field}: {why}")]
    Argument {
        /// The field.
        field: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Invalid {
    /// An error in a field that has no variant of its own.
    pub fn argument(field: impl fmt::Display, why: impl Into<String>) -> Self {
        Self::Argument { field: field.to_string(), why: why.into() }
    }
}
