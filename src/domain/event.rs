//! Events: what happened in a user's lists, as receivers of callbacks see it.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Invalid, OwnerKey, UserRef, Username};

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventType {
            $($(#[$doc])* $variant,)+
        }

        impl EventType {
            /// All types.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The type's name, in callbacks and in the store.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

event_types! {
    /// Two users became friends.
    FriendAdded = "friend.added",
    /// An owner changed their remark on a friend.
    FriendRemarkSet = "friend.remark_set",
    /// A friendship ended.
    FriendRemoved = "friend.removed",
    /// A user sent a friend request.
    FriendRequestSent = "friend.request_sent",
    /// The recipient accepted a friend request.
    FriendRequestAccepted = "friend.request_accepted",
    /// The recipient rejected a friend request.
    FriendRequestRejected = "friend.request_rejected",
    /// A friend request was withdrawn: by the requester, by blocking, or with a deleted user.
    FriendRequestCancelled = "friend.request_cancelled",
    /// An owner blocked a user.
    BlockAdded = "block.added",
    /// An owner unblocked a user.
    BlockRemoved = "block.removed",
    /// Nothing happened: the operator tries a rule out.
    CallbackTest = "callback.test",
}

impl EventType {
    /// The types that a rule can select: all but the test.
    pub fn wanted() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|t| *t != Self::CallbackTest)
    }

    /// Reads a type that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Argument`] if no type has this name.
    pub fn parse(field: impl std::fmt::Display, name: &str) -> Result<Self, Invalid> {
        Self::wanted().find(|t| t.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::wanted().map(Self::as_str).collect();
            Invalid::argument(field, format!("must be one of {}", names.join(", ")))
        })
    }

    /// A type from its name in the store; `None` for a type that a newer version of the service wrote.
    pub(crate) fn from_store(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|t| t.as_str() == name)
    }
}

/// An event to record.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// What happened.
    pub event_type: EventType,
    /// The user in whose list it happened.
    pub owner: UserRef<'a>,
    /// The owner's version of the change.
    pub version: i64,
    /// The other user.
    pub friend: &'a Username,
    /// The remark that was set, or the message of a request; otherwise empty.
    pub detail: &'a str,
}

impl<'a> NewEvent<'a> {
    /// An event without a detail.
    #[must_use]
    pub fn new(
        event_type: EventType,
        owner: UserRef<'a>,
        version: i64,
        friend: UserRef<'a>,
    ) -> Self {
        Self { event_type, owner, version, friend: friend.name, detail: "" }
    }
}

/// Identifies an event on its way to the receiver of one rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// The user in whose list it happened.
    pub owner: OwnerKey,
    /// The owner's version of the change.
    pub version: i64,
    /// The rule.
    pub rule_id: Uuid,
}

impl EventId {
    /// The id as callers see it: owner key in hexadecimal, version in decimal, rule in hexadecimal.
    #[must_use]
    pub fn render(&self) -> String {
        format!("{}.{}.{}", self.owner.as_uuid().simple(), self.version, self.rule_id.simple())
    }

    /// Reads what [`Self::render`] wrote; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let id = Self {
            owner: OwnerKey::from_store(Uuid::try_parse(parts.next()?).ok()?),
            version: parts.next()?.parse().ok()?,
            rule_id: Uuid::try_parse(parts.next()?).ok()?,
        };
        (id.render() == text).then_some(id)
    }

    /// The `webhook-id` header, the same in all attempts, by which a receiver recognises repeats.
    #[must_use]
    pub fn webhook_id(&self) -> String {
        format!("evt_{}_{}", self.owner.as_uuid().simple(), self.version)
    }
}

/// Whether an event was delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// It is still to be sent.
    Pending {
        /// The earliest time of its next attempt.
        next_attempt_at: OffsetDateTime,
    },
    /// The receiver answered 2xx.
    Delivered {
        /// The end of the last attempt.
        at: OffsetDateTime,
    },
    /// Its last attempt failed.
    Failed {
        /// The end of the last attempt.
        at: OffsetDateTime,
    },
}

impl EventState {
    /// The state without its time.
    #[must_use]
    pub const fn name(self) -> StateName {
        match self {
            Self::Pending { .. } => StateName::Pending,
            Self::Delivered { .. } => StateName::Delivered,
            Self::Failed { .. } => StateName::Failed,
        }
    }

    /// A state from its name in the store, whose constraint knows these three, and its time.
    pub(crate) fn from_store(name: &str, at: OffsetDateTime) -> Self {
        match name {
            "pending" => Self::Pending { next_attempt_at: at },
            "delivered" => Self::Delivered { at },
            _ => Self::Failed { at },
        }
    }

    /// When a pending event is sent next; when a finished one was delivered or failed.
    #[must_use]
    pub const fn at(self) -> OffsetDateTime {
        match self {
            Self::Pending { next_attempt_at: at }
            | Self::Delivered { at }
            | Self::Failed { at } => at,
        }
    }
}

/// An event on its way to the receiver of one rule.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// A number of 18-19 digits, by which Easemob's receivers identify an event.
    pub message_id: i64,
    /// What happened; `None` for a type that a newer version of the service wrote.
    pub event_type: Option<EventType>,
    /// The user in whose list it happened.
    pub owner: Username,
    /// The other user.
    pub friend: Username,
    /// The remark that was set, or the message of a request; otherwise empty.
    pub detail: String,
    /// When it happened.
    pub created_at: OffsetDateTime,
    /// How many attempts were made to deliver it.
    pub attempts: i32,
    /// Its state.
    pub state: EventState,
}

/// An attempt to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// When the attempt began, in milliseconds of Unix time.
    pub started_at_ms: i64,
    /// The HTTP status, if there was a response.
    pub http_status: Option<u16>,
    /// How long the attempt took, in milliseconds.
    pub duration_ms: u64,
    /// The first 1024 bytes of the response's body.
    pub response_body: String,
    /// Why the attempt failed; `None` for a success.
    pub error: Option<String>,
}

/// Where a page of events ends. Events are ordered by time, then by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPosition {
    /// When the last event of the page happened.
    pub created_at: OffsetDateTime,
    /// The id of that event.
    pub id: EventId,
}

impl EventPosition {
    /// Earlier than all events.
    pub const FIRST: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    /// Later than all events: the last day of the year 9999.
    pub const LAST: OffsetDateTime = time::Date::MAX.midnight().assume_utc();

    /// The position of the first page: later than all events.
    #[must_use]
    pub fn start() -> Self {
        let id = EventId {
            owner: OwnerKey::from_store(Uuid::max()),
            version: i64::MAX,
            rule_id: Uuid::max(),
        };
        Self { created_at: Self::LAST, id }
    }

    /// The position as text.
    #[must_use]
    pub fn render(&self) -> String {
        format!("{}/{}", self.created_at.unix_timestamp_nanos() / 1000, self.id.render())
    }

    /// Reads what [`Self::render`] wrote; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('/')?;
        let nanos = micros.parse::<i128>().ok()?.checked_mul(1000)?;
        Some(Self {
            created_at: OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?,
            id: EventId::parse(id)?,
        })
    }
}

/// Which events to list. `None` matches all of them.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Only those of this rule.
    pub rule_id: Option<Uuid>,
    /// Only those in this user's lists.
    pub owner: Option<OwnerKey>,
    /// Only those of this type.
    pub event_type: Option<EventType>,
    /// Only those in this state.
    pub state: Option<StateName>,
    /// Only those that happened at this time or later.
    pub from: Option<OffsetDateTime>,
    /// Only those that happened before this time.
    pub to: Option<OffsetDateTime>,
}

/// A state without its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateName {
    /// See [`EventState::Pending`].
    Pending,
    /// See [`EventState::Delivered`].
    Delivered,
    /// See [`EventState::Failed`].
    Failed,
}

impl StateName {
    /// The state's name in the store.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_read_back_and_nothing_else_is() {
        let id = EventId {
            owner: OwnerKey::from_store(Uuid::from_u128(7)),
            version: 42,
            rule_id: Uuid::from_u128(9),
        };
        assert_eq!(EventId::parse(&id.render()), Some(id));
        for bad in [
            "",
            "a.b.c",
            "..",
            &format!("{}.", id.render()),
            &id.render().to_uppercase().replace('A', "a"),
            "7.42.9",
        ] {
            assert!(EventId::parse(bad).is_none() || *bad == id.render(), "{bad:?} was taken");
        }
    }

    #[test]
    fn the_test_type_can_be_sent_but_not_selected() {
        assert!(EventType::parse("t", "callback.test").is_err());
        assert!(EventType::parse("t", "friend.added").is_ok());
        assert_eq!(EventType::from_store("callback.test"), Some(EventType::CallbackTest));
    }
}
