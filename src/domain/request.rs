//! Friend requests: asking before becoming friends.

use std::fmt;

use time::OffsetDateTime;

use super::{Invalid, Username, text};

/// What is said with a request or its answer: at most 256 characters, may be empty.
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
        match text::objection(message, Self::MAX_CHARS) {
            None => Ok(Self(message.to_owned())),
            Some(why) => Err(Invalid::argument(field, why)),
        }
    }

    /// The message.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// It waits for an answer.
    Pending,
    /// The two are friends.
    Accepted,
    /// The recipient declined.
    Rejected,
    /// The requester took it back, or was blocked.
    Cancelled,
    /// Nobody answered in time.
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

    /// From its name in the store, whose constraint knows these five.
    pub(crate) fn from_store(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.as_str() == name).unwrap_or(Self::Expired)
    }
}

/// On which side of a request a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestDirection {
    /// The user got it.
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

    /// From its name in the store, whose constraint knows these two.
    pub(crate) fn from_store(name: &str) -> Self {
        if name == Self::Incoming.as_str() { Self::Incoming } else { Self::Outgoing }
    }
}

/// A request to become friends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FriendRequest {
    /// Who asks.
    pub requester: Username,
    /// Who is asked.
    pub recipient: Username,
    /// How far it is.
    pub state: RequestState,
    /// What the requester says.
    pub message: String,
    /// What was said with the answer.
    pub answer: String,
    /// When it was sent.
    pub created_at: OffsetDateTime,
    /// When it was changed or answered last.
    pub updated_at: OffsetDateTime,
    /// When it expires, if requests do and it is pending.
    pub expires_at: Option<OffsetDateTime>,
}
