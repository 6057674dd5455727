//! Why an operation was refused or failed.
//!
//! A variant exists where a caller would act differently. The gRPC and HTTP APIs map the variants to
//! their own codes, each API in one exhaustive `match`.

use std::{fmt, time::Duration};

use super::{AppKey, Invalid, OperatorName, Role, Username};

/// The error type of all operations.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The token is missing, malformed, unknown, expired or revoked.
    #[error("the token is missing, malformed, expired or revoked")]
    Unauthenticated,
    /// The token is valid, but not for this call.
    #[error("this call needs {required} token")]
    TokenScope {
        /// The kind of token that the call needs.
        required: Scope,
    },
    /// The token is an operator's, whose role does not allow the call.
    #[error(
        "this call needs an operator with the role {required}, and the role of this one is {held}"
    )]
    OperatorRole {
        /// The role with the fewest rights that may make the call.
        required: Role,
        /// The role of the token.
        held: Role,
    },
    /// A login failed.
    #[error("{0} does not match")]
    InvalidCredentials(Credential),
    /// The app does not exist.
    #[error("there is no app {0}")]
    AppNotFound(AppKey),
    /// An app of this name exists.
    #[error("there is an app {0} already")]
    AppAlreadyExists(AppKey),
    /// No operator's token has this name.
    #[error("there is no operator token of {0}")]
    OperatorTokenNotFound(OperatorName),
    /// An operator's token of this name exists.
    #[error("there is an operator token of {0} already")]
    OperatorTokenAlreadyExists(OperatorName),
    /// The app has no such user.
    #[error("there is no user {0}")]
    UserNotFound(Username),
    /// A user of this name exists.
    #[error("there is a user {0} already")]
    UserAlreadyExists(Username),
    /// The two users are not friends.
    #[error("{friend} is not a friend of {owner}")]
    NotFriends {
        /// The owner of the list that was read.
        owner: Username,
        /// The user who is not in the list.
        friend: Username,
    },
    /// A friend list is full.
    #[error("the friend list of {username} is full: the limit is {limit}")]
    FriendLimitExceeded {
        /// The owner of the list.
        username: Username,
        /// The app's limit.
        limit: i32,
    },
    /// A block list has no room for all users of the call.
    #[error("the block list of {username} has no room: the limit is {limit}")]
    BlockLimitExceeded {
        /// The owner of the list.
        username: Username,
        /// The app's limit.
        limit: i32,
    },
    /// The two are friends already.
    #[error("{requester} and {recipient} are friends already")]
    AlreadyFriends {
        /// The user who asks.
        requester: Username,
        /// The user who is asked.
        recipient: Username,
    },
    /// One blocks the other.
    #[error("{blocker} blocks {blocked}")]
    Blocked {
        /// The user who blocks.
        blocker: Username,
        /// The user who is blocked.
        blocked: Username,
    },
    /// No request between the two is in a state that allows the call.
    #[error("there is no such friend request from {requester} to {recipient}")]
    RequestNotFound {
        /// The user who asked.
        requester: Username,
        /// The user who was asked.
        recipient: Username,
    },
    /// A user has too many pending requests.
    #[error("{username} has too many pending friend requests: the limit is {limit}")]
    RequestLimitExceeded {
        /// The user.
        username: Username,
        /// How many requests can be pending.
        limit: i32,
    },
    /// A watcher does not read its messages fast enough.
    #[error("the watcher took too long to read")]
    WatcherTooSlow,
    /// The app has no such callback rule.
    #[error("there is no callback rule {0}")]
    CallbackRuleNotFound(String),
    /// The app has as many callback rules as it can have.
    #[error("the app {app} has no room for another callback rule: the limit is {limit}")]
    CallbackRuleLimitExceeded {
        /// The app.
        app: AppKey,
        /// How many rules an app can have.
        limit: usize,
    },
    /// The app has no such event, or its history has been dropped.
    #[error("there is no event {0}")]
    EventNotFound(String),
    /// The app makes too many calls of an operation.
    #[error("too many calls of {operation}: the limit is {per_second} a second")]
    RateLimited {
        /// The operation, as "FriendService/AddFriend".
        operation: &'static str,
        /// How many calls are allowed a second.
        per_second: u32,
        /// The time until the next call is allowed.
        retry_after: Duration,
    },
    /// Too many logins have failed.
    #[error("too many failed logins")]
    LoginThrottled {
        /// The time until the next login is allowed.
        retry_after: Duration,
    },
    /// The request itself is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The service can't answer now; every call may be repeated.
    #[error("the service is not available at the moment: {0}")]
    Unavailable(Outage),
    /// The call collided with others several times and was given up; nothing changed.
    #[error("the call collided with others too often")]
    Conflict,
    /// The caller's deadline passed, or the longest time that the service gives a call.
    #[error("the deadline passed")]
    DeadlineExceeded,
    /// The service's role in the database lacks a privilege. The text is for the log and the console only.
    #[error("the role of the database lacks a privilege: {0}")]
    PrivilegeMissing(String),
    /// A bug or a broken database. The text is for the log only.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What kind of token a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A token of an app.
    App,
    /// A token of an operator.
    Operator,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "an app",
            Self::Operator => "an operator",
        })
    }
}

/// Which half of the credentials was wrong. Only Easemob's API tells it to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// No app has this client_id.
    ClientId,
    /// The app has another client_secret.
    ClientSecret,
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ClientId => "client_id",
            Self::ClientSecret => "client_secret",
        })
    }
}

/// Why the service can't answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The connection to the database broke, or the database ended it.
    Database,
    /// No connection to the database can be opened, which has been waited for or is known already.
    Away,
    /// The database takes no writes: it is a standby, or was made read-only.
    ReadOnly,
    /// The disk of the database is full.
    DiskFull,
    /// The connection broke while a commit was under way: the change happened or not.
    DuringCommit,
    /// All connections to the database are busy, or the database lacks memory or connections.
    Busy,
    /// As many calls are under way as are allowed.
    Overloaded,
    /// The instance is shutting down.
    ShuttingDown,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "the connection to the database is lost",
            Self::Away => "the database is away",
            Self::ReadOnly => "the database takes no writes",
            Self::DiskFull => "the disk of the database is full",
            Self::DuringCommit => "the database went away before it confirmed the change",
            Self::Busy => "the database is busy",
            Self::Overloaded => "too many calls are under way",
            Self::ShuttingDown => "this instance is shutting down",
        })
    }
}

/// An error with the chain of its causes, as "can't connect: connection refused". A cause that the text
/// before it contains already is left out.
#[must_use]
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_causes;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn an_error_is_told_with_its_causes_and_none_of_them_twice() {
        let layer = |text, source: Option<Layer>| Layer { text, source: source.map(Box::new) };
        let inner = layer("refused: port 1", Some(layer("port 1", None)));
        let error = layer("can't connect", Some(inner));
        assert_eq!(with_causes(&error), "can't connect: refused: port 1");
        assert_eq!(with_causes(&layer("alone", None)), "alone");
    }
}
