//! Why an operation was refused or failed.
//!
//! A variant exists where a caller would act differently. The surfaces turn them into their own
//! codes, each in one exhaustive `match`.

use std::{fmt, time::Duration};

use super::{AppKey, Invalid, Username};

/// The one error of all operations.
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
    /// A login failed.
    #[error("{0} does not match")]
    InvalidCredentials(Credential),
    /// No such app.
    #[error("there is no app {0}")]
    AppNotFound(AppKey),
    /// Such an app exists.
    #[error("there is an app {0} already")]
    AppAlreadyExists(AppKey),
    /// No such user in the app.
    #[error("there is no user {0}")]
    UserNotFound(Username),
    /// Such a user exists.
    #[error("there is a user {0} already")]
    UserAlreadyExists(Username),
    /// They are no friends.
    #[error("{friend} is not a friend of {owner}")]
    NotFriends {
        /// Whose list was looked at.
        owner: Username,
        /// Who is not in it.
        friend: Username,
    },
    /// A friend list is full.
    #[error("the friend list of {username} is full: the limit is {limit}")]
    FriendLimitExceeded {
        /// Whose list.
        username: Username,
        /// The app's limit.
        limit: i32,
    },
    /// A block list has no room for all of the call.
    #[error("the block list of {username} has no room: the limit is {limit}")]
    BlockLimitExceeded {
        /// Whose list.
        username: Username,
        /// The app's limit.
        limit: i32,
    },
    /// The two are friends already.
    #[error("{requester} and {recipient} are friends already")]
    AlreadyFriends {
        /// Who asks.
        requester: Username,
        /// Who is asked.
        recipient: Username,
    },
    /// One blocks the other.
    #[error("{blocker} blocks {blocked}")]
    Blocked {
        /// Who blocks.
        blocker: Username,
        /// Who is blocked.
        blocked: Username,
    },
    /// No request that could be answered so.
    #[error("there is no such friend request from {requester} to {recipient}")]
    RequestNotFound {
        /// Who asked.
        requester: Username,
        /// Who was asked.
        recipient: Username,
    },
    /// Too many pending requests.
    #[error("{username} has too many pending friend requests: the limit is {limit}")]
    RequestLimitExceeded {
        /// Who.
        username: Username,
        /// How many can be pending.
        limit: i32,
    },
    /// A watcher does not keep up.
    #[error("the watcher took too long to read")]
    WatcherTooSlow,
    /// The app has no such callback rule.
    #[error("there is no callback rule {0}")]
    CallbackRuleNotFound(String),
    /// The app has as many callback rules as it can.
    #[error("the app {app} has no room for another callback rule: the limit is {limit}")]
    CallbackRuleLimitExceeded {
        /// The app.
        app: AppKey,
        /// How many rules an app can have.
        limit: usize,
    },
    /// The app has no such event, or not any more.
    #[error("there is no event {0}")]
    EventNotFound(String),
    /// Too many calls.
    #[error("too many calls of {operation}: the limit is {per_second} a second")]
    RateLimited {
        /// Of which operation, as "FriendService/AddFriend".
        operation: &'static str,
        /// How many are allowed a second.
        per_second: u32,
        /// When the next one may be made.
        retry_after: Duration,
    },
    /// Too many failed logins.
    #[error("too many failed logins")]
    LoginThrottled {
        /// When the next one may be tried.
        retry_after: Duration,
    },
    /// The request itself is wrong.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// We can't answer now; every call may be repeated.
    #[error("the service is not available at the moment: {0}")]
    Unavailable(Outage),
    /// Given up after several collisions with other calls; nothing changed.
    #[error("the call collided with others too often")]
    Conflict,
    /// The caller's deadline, or our own longest time, passed.
    #[error("the deadline passed")]
    DeadlineExceeded,
    /// A bug or a broken database. The text is for the log only.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What kind of token a call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A token of an app.
    App,
    /// The operator's.
    Operator,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::App => "an app",
            Self::Operator => "the operator",
        })
    }
}

/// Which half of the credentials was wrong. Only for the surfaces that must tell.
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

/// Why we can't answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// The connection to the database can't be made, or broke.
    Database,
    /// The connection broke while a commit was under way: the change happened or not.
    DuringCommit,
    /// All connections to the database are busy.
    Busy,
    /// As many calls as allowed are under way.
    Overloaded,
    /// The instance is shutting down.
    ShuttingDown,
}

impl fmt::Display for Outage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "the database is away",
            Self::DuringCommit => "the database went away before it confirmed the change",
            Self::Busy => "all database connections are busy",
            Self::Overloaded => "too many calls are under way",
            Self::ShuttingDown => "this instance is shutting down",
        })
    }
}

/// An error with its whole chain of causes, as "can't connect: connection refused". A cause that the
/// text before it says already is left out.
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
