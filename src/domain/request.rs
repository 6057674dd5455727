//! Friend requests: a user asks, and becomes a friend if the other accepts.

use std::fmt;

use time::OffsetDateTime;

use super::{Invalid, Username, text};

/// A message with a request or with its answer: at most 256 characters, may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestMessage(String);

impl RequestMessage {
    /// The longest message, in characters (NetEase's bound).
    pub const MAX_CHARS: usize = 256;

    /// Reads a message that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Argument`] when it is too long or holds NUL.
    pub fn parse(field: impl fmt::Display, message: &str) -> Result<Self, Invalid> {
        text::check(message, Self::MAX_CHARS).map_err(|why| Invalid::argument(field, why))?;
        Ok(Self(message.to_owned()))
    }

    /// The message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The state of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It waits for an answer.
    Pending,
    /// The two are friends.
    Accepted,
    /// The recipient declined.
    Rejected,
    /// The requester withdrew the request, or one of the two blocked the other.
    Cancelled,
    /// The recipient did not answer in time.
    Expired,
}

impl RequestState {
    /// All states.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Accepted, Self::Rejected, Self::Cancelled, Self::Expired];

    /// Its name in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// From its name in the store, where a constraint allows only these five.
    pub(crate) fn from_store(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == name).unwrap_or(Self::Expired)
    }
}

/// Whether a user received or sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestDirection {
    /// The user received it.
    Incoming,
    /// The user sent it.
    Outgoing,
}

impl RequestDirection {
    /// Its name in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
        }
    }

    /// From its name in the store, where a constraint allows only these two.
    pub(crate) fn from_store(name: &str) -> Self {
        if name == Self::Incoming.as_str() { Self::Incoming } else { Self::Outgoing }
    }
}

/// A request to become friends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendRequest {
    /// The user who asks.
    pub requester: Username,
    /// The user who is asked.
    pub recipient: Username,
    /// The state of the request.
    pub state: RequestState,
    /// The requester's message.
    pub message: String,
    /// The message with the answer.
    pub answer: String,
    /// When the request was sent.
    pub created_at: OffsetDateTime,
    /// When the request was changed or answered last.
    pub updated_at: OffsetDateTime,
    /// When the request expires, if it is pending and requests expire.
    pub expires_at: Option<OffsetDateTime>,
}
