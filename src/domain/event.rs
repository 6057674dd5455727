//! Events: what happened, for those who want to be told.

use time::OffsetDateTime;
use uuid::Uuid;

use super::{Invalid, OwnerKey, UserRef, Username};

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// What can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventType {
            $($(#[$doc])* $variant,)+
        }

        impl EventType {
            /// All types.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The type as receivers see it.
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
    /// A user asked another to be friends.
    FriendRequestSent = "friend.request_sent",
    /// The asked one agreed.
    FriendRequestAccepted = "friend.request_accepted",
    /// The asked one declined.
    FriendRequestRejected = "friend.request_rejected",
    /// The asking one took it back.
    FriendRequestCancelled = "friend.request_cancelled",
    /// An owner blocked a user.
    BlockAdded = "block.added",
    /// An owner unblocked a user.
    BlockRemoved = "block.removed",
    /// Nothing happened: the operator tries a rule.
    CallbackTest = "callback.test",
}

impl EventType {
    /// The types that a rule can want: all but the test.
    pub fn wanted() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|t| *t != Self::CallbackTest)
    }

    /// Reads a type that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Argument`] for a name that is none.
    pub fn parse(field: impl std::fmt::Display, name: &str) -> Result<Self, Invalid> {
        Self::wanted().find(|t| t.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = Self::wanted().map(Self::as_str).collect();
            Invalid::argument(field, format!("must be one of {}", names.join(", ")))
        })
    }

    /// A type as the store gave it back; nothing for one that a newer version wrote.
    pub(crate) fn from_store(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|t| t.as_str() == name)
    }
}

/// An event to record.
#[derive(Clone, Debug)]
pub struct NewEvent<'a> {
    /// What happened.
    pub event_type: EventType,
    /// In whose list.
    pub owner: UserRef<'a>,
    /// The owner's version of the change.
    pub version: i64,
    /// The other user.
    pub friend: &'a Username,
    /// The remark that was set, or the message of a request; empty else.
    pub detail: &'a str,
}

/// Which event for which rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EventId {
    /// In whose list it happened.
    pub owner: OwnerKey,
    /// The owner's version of the change.
    pub version: i64,
    /// For which rule.
    pub rule_id: Uuid,
}

impl EventId {
    /// The id as callers see it: owner key, version and rule, in hexadecimal and decimal.
    #[must_use]
    pub fn render(&self) -> String {
        format!("{}.{}.{}", self.owner.as_uuid().simple(), self.version, self.rule_id.simple())
    }

    /// Reads what [`Self::render`] wrote; nothing for anything else.
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

    /// What the receiver gets to tell repeats by: the same over all tries.
    #[must_use]
    pub fn webhook_id(&self) -> String {
        format!("evt_{}_{}", self.owner.as_uuid().simple(), self.version)
    }
}

/// How far an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventState {
    /// To be sent, at this time at the earliest.
    Pending {
        /// When it is tried next.
        next_attempt_at: OffsetDateTime,
    },
    /// Taken by the receiver.
    Delivered {
        /// When.
        at: OffsetDateTime,
    },
    /// Given up.
    Failed {
        /// When.
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

    /// When a pending event is tried next; when a finished one was delivered or given up.
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
    /// Which, for which rule.
    pub id: EventId,
    /// A number of 18-19 digits that Easemob's receivers know an event by.
    pub message_id: i64,
    /// What happened; nothing for a type that a newer version of the service wrote.
    pub event_type: Option<EventType>,
    /// In whose list.
    pub owner: Username,
    /// The other user.
    pub friend: Username,
    /// The remark or the message.
    pub detail: String,
    /// When it happened.
    pub created_at: OffsetDateTime,
    /// How often it was tried.
    pub attempts: i32,
    /// How far it is.
    pub state: EventState,
}

/// A try to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// When it began, in milliseconds of Unix time.
    pub at_ms: i64,
    /// The HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// How long it took.
    pub duration_ms: u64,
    /// The first 1024 bytes of the answer.
    pub answer: String,
    /// Why it failed; nothing for a success.
    pub error: Option<String>,
}

/// Where a page of events ends: at an event, in the order of its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPosition {
    /// When the event happened.
    pub created_at: OffsetDateTime,
    /// Which it is.
    pub id: EventId,
}

impl EventPosition {
    /// Before all events.
    pub const FIRST: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    /// After all events: the end of the year 9999.
    pub const LAST: OffsetDateTime = time::Date::MAX.midnight().assume_utc();

    /// Where the first page starts: after the newest event.
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

    /// Reads what [`Self::render`] wrote.
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

/// Which events to list; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// For this rule.
    pub rule_id: Option<Uuid>,
    /// In this user's lists.
    pub owner: Option<OwnerKey>,
    /// Of this type.
    pub event_type: Option<EventType>,
    /// In this state.
    pub state: Option<StateName>,
    /// Happened then or later.
    pub from: Option<OffsetDateTime>,
    /// Happened before.
    pub to: Option<OffsetDateTime>,
}

/// A state without its times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateName {
    /// To be sent.
    Pending,
    /// Taken by the receiver.
    Delivered,
    /// Given up.
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
    fn the_test_type_can_be_sent_but_not_wanted() {
        assert!(EventType::parse("t", "callback.test").is_err());
        assert!(EventType::parse("t", "friend.added").is_ok());
        assert_eq!(EventType::from_store("callback.test"), Some(EventType::CallbackTest));
    }
}
