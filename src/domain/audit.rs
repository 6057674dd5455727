//! Audit: who makes a change and from where, and what is recorded of it.

use std::fmt;

use serde_json::{Map, Value};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{App, AppKey, Invalid, OperatorName};

/// What kind of caller made a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorKind {
    /// Whoever shows the operator token of the settings.
    Root,
    /// The bearer of an operator's token.
    Operator,
    /// A user of the operating system, who ran a command on the database.
    Console,
    /// An app, by its own credentials or token.
    App,
}

impl ActorKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Root, Self::Operator, Self::Console, Self::App];

    /// The kind's name in the store, at the console and in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => OperatorName::ROOT,
            Self::Operator => "operator",
            Self::Console => "console",
            Self::App => "app",
        }
    }

    /// The kind of a name; `None` for any other text.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// Who makes a change, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// What kind of caller.
    pub kind: ActorKind,
    /// The operator's name, the user of the operating system, or the app's client_id; empty for root.
    pub name: String,
    /// The address at the other end of the connection, or the name of the host on which the command ran.
    pub origin: String,
}

impl Author {
    /// The author for the log, which holds no client_ids.
    #[must_use]
    pub fn for_log(&self) -> String {
        match self.kind {
            ActorKind::App => self.kind.as_str().to_owned(),
            ActorKind::Root | ActorKind::Operator | ActorKind::Console => self.to_string(),
        }
    }
}

impl fmt::Display for Author {
    /// "root", "operator:alice", "console:alice", "app:bfc_…".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        if self.name.is_empty() { Ok(()) } else { write!(f, ":{}", self.name) }
    }
}

/// Properties of what was changed, by name, without secrets.
pub type Facts = Map<String, Value>;

/// A change to record.
#[derive(Clone, Debug)]
pub struct Audited {
    /// The operation, as "AppService/UpdateApp".
    pub action: &'static str,
    /// The app in which something was changed.
    pub app: Option<(Uuid, AppKey)>,
    /// What was changed in it, such as the id of a callback rule; empty for the app itself.
    pub target: String,
    /// What it was before; empty for something new.
    pub before: Facts,
    /// What it is now; empty for something that is gone.
    pub after: Facts,
}

impl Audited {
    /// A change by an operation, of nothing yet.
    #[must_use]
    pub fn new(action: &'static str) -> Self {
        let (before, after) = (Facts::new(), Facts::new());
        Self { action, app: None, target: String::new(), before, after }
    }

    /// The same change, in an app.
    #[must_use]
    pub fn in_app(self, app: &App) -> Self {
        Self { app: Some((app.id, app.key.clone())), ..self }
    }

    /// The same change, of this part of the app or the installation.
    #[must_use]
    pub fn of(self, target: impl fmt::Display) -> Self {
        Self { target: target.to_string(), ..self }
    }

    /// The same change, of something that was like this.
    #[must_use]
    pub fn before(self, before: Facts) -> Self {
        Self { before, ..self }
    }

    /// The same change, to something that is like this.
    #[must_use]
    pub fn after(self, after: Facts) -> Self {
        Self { after, ..self }
    }

    /// What was changed, for the log, which holds no usernames.
    #[must_use]
    pub fn target_for_log(&self) -> &str {
        let of_users = ["BlockService/", "FriendService/", "UserService/"];
        let is_username = of_users.iter().any(|service| self.action.starts_with(service));
        if is_username { "…" } else { &self.target }
    }

    /// Leaves out what the change left as it was.
    #[must_use]
    pub fn only_differences(mut self) -> Self {
        let same = |name: &String, other: &Facts, value: &Value| other.get(name) == Some(value);
        let before = self.before.clone();
        self.before.retain(|name, value| !same(name, &self.after, value));
        self.after.retain(|name, value| !same(name, &before, value));
        self
    }
}

/// A change that was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Identifies the record.
    pub id: Uuid,
    /// When the change was made.
    pub created_at: OffsetDateTime,
    /// Who made it.
    pub author: Author,
    /// The operation, as "AppService/UpdateApp".
    pub action: String,
    /// The app in which something was changed.
    pub app: Option<(Uuid, AppKey)>,
    /// What was changed in it; empty for the app itself.
    pub target: String,
    /// What it was before, as a JSON object.
    pub before: String,
    /// What it is now, as a JSON object.
    pub after: String,
}

/// Which records to list. `None` matches all of them.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only changes at this time or later.
    pub from: Option<OffsetDateTime>,
    /// Only changes before this time.
    pub to: Option<OffsetDateTime>,
    /// Only changes by callers of this kind.
    pub kind: Option<ActorKind>,
    /// Only changes by callers of this name.
    pub name: Option<String>,
    /// Only this operation.
    pub action: Option<String>,
    /// Only changes in the apps that had this key, also in one that was deleted since.
    pub app: Option<AppKey>,
}

impl AuditFilter {
    /// The longest name or action that a filter takes, in bytes: all are shorter.
    pub const MAX_TEXT: usize = 256;

    /// Reads a text of a filter that came in as the request's `field`; `None` for an empty one.
    ///
    /// # Errors
    /// [`Invalid::Argument`] for a text that no record can hold.
    pub fn text(field: &str, text: &str) -> Result<Option<String>, Invalid> {
        if text.len() > Self::MAX_TEXT || text.contains('\0') {
            return Err(Invalid::argument(field, "must be at most 256 bytes, without NUL"));
        }
        Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
    }
}

/// Where a page of records ends. The newest come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPosition {
    /// When the last change of the page was made.
    pub created_at: OffsetDateTime,
    /// The id of its record.
    pub id: Uuid,
}

impl AuditPosition {
    /// Earlier than all records.
    pub const FIRST: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    /// Later than all records: the last day of the year 9999.
    pub const LAST: OffsetDateTime = time::Date::MAX.midnight().assume_utc();

    /// The position of the first page: later than all records.
    #[must_use]
    pub fn start() -> Self {
        Self { created_at: Self::LAST, id: Uuid::max() }
    }

    /// The position as text.
    #[must_use]
    pub fn render(&self) -> String {
        format!("{}/{}", self.created_at.unix_timestamp_nanos() / 1000, self.id.simple())
    }

    /// Reads what [`Self::render`] wrote; `None` for any other text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (micros, id) = text.split_once('/')?;
        let nanos = micros.parse::<i128>().ok()?.checked_mul(1000)?;
        let created_at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
        Some(Self { created_at, id: Uuid::try_parse(id).ok()? })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;

    fn facts(value: &Value) -> Facts {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn a_change_tells_what_is_different_and_nothing_else() {
        let audited = |before: &Value, after: &Value| {
            let change = Audited::new("AppService/UpdateApp").before(facts(before));
            let change = change.after(facts(after)).only_differences();
            (Value::from(change.before), Value::from(change.after))
        };
        let (before, after) = (json!({"a": 1, "b": [2], "c": 3}), json!({"a": 1, "b": [4]}));
        assert_eq!(audited(&before, &after), (json!({"b": [2], "c": 3}), json!({"b": [4]})));
        assert_eq!(audited(&json!({}), &after), (json!({}), after.clone()));
        assert_eq!(audited(&before, &json!({})), (before.clone(), json!({})));
        assert_eq!(audited(&before, &before), (json!({}), json!({})));
    }

    #[test]
    fn a_position_is_read_as_it_was_written() {
        let created_at = datetime!(2026-11-21 12:00:00.123456 UTC);
        let position = AuditPosition { created_at, id: Uuid::from_u128(7) };
        for position in [position, AuditPosition::start()] {
            assert_eq!(AuditPosition::parse(&position.render()), Some(position));
        }
        for bad in ["", "/", "1/x", "x/00000000000000000000000000000007"] {
            assert_eq!(AuditPosition::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_author_is_shown_with_kind_and_name() {
        let shown = |kind, name: &str| {
            Author { kind, name: name.to_owned(), origin: String::new() }.to_string()
        };
        assert_eq!(shown(ActorKind::Root, ""), "root");
        assert_eq!(shown(ActorKind::Console, "alice"), "console:alice");
        for kind in ActorKind::ALL {
            assert_eq!(ActorKind::of_name(kind.as_str()), Some(kind));
        }
    }
}
