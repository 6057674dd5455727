//! What is wrong with a request's arguments.

use std::fmt;

/// What is wrong with a request. `field` is the path of the request's member, as "usernames\[2\]".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Somebody's own friend, or blocked by themselves.
    #[error("{field}: {username} can't have a relation to themselves")]
    SelfRelation {
        /// The member that names the same user again.
        field: String,
        /// The user.
        username: String,
    },
    /// No username.
    #[error("{field}: must be 1-64 bytes of a-z 0-9 _ . - @")]
    Username {
        /// The member.
        field: String,
    },
    /// No remark.
    #[error("{field}: {why}")]
    Remark {
        /// The member.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// No extension.
    #[error("{field}: {why}")]
    Extension {
        /// The member.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// A page token that we did not give out for this list and call.
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
    /// Too many members in a list.
    #[error("{field}: must hold at most {max} entries")]
    BatchTooLarge {
        /// The member.
        field: &'static str,
        /// How many it may hold.
        max: usize,
    },
    /// Anything else.
    #[error("{field}: {why}")]
    Argument {
        /// The member.
        field: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Invalid {
    /// A complaint about a member that has no variant of its own.
    pub fn argument(field: impl fmt::Display, why: impl Into<String>) -> Self {
        Self::Argument { field: field.to_string(), why: why.into() }
    }
}
