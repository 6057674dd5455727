//! The members of a line, whatever the form of its file, and the record they make.

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::Kind;
use crate::domain::{
    BadLine, BlockRecord, EntryTexts, Extension, FriendRecord, Nickname, Record, Remark,
    UserRecord, Username,
};

/// A user's line.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserLine {
    pub(crate) username: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nickname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uuid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) modified_at: Option<String>,
}

/// A friend's line.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FriendLine {
    pub(crate) owner: String,
    pub(crate) friend: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remark: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extension: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_extension: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) updated_at: Option<String>,
}

/// A block's line.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BlockLine {
    pub(crate) owner: String,
    pub(crate) blocked: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_at: Option<String>,
}

/// A line of any kind.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Line {
    User(UserLine),
    Friend(FriendLine),
    Block(BlockLine),
}

/// What becomes of a line one of whose texts is too long to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongTexts {
    /// It is a bad line.
    Refuse,
    /// It goes in without the text.
    LeaveOut,
}

impl Kind {
    /// The columns of a CSV file, in the order in which an export has them. The first
    /// [`Self::required`] must be there.
    pub(super) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Users => {
                &["username", "nickname", "activated", "uuid", "created_at", "modified_at"]
            }
            Self::Friends => &[
                "owner",
                "friend",
                "remark",
                "extension",
                "server_extension",
                "created_at",
                "updated_at",
            ],
            Self::Blocks => &["owner", "blocked", "created_at"],
        }
    }

    /// How many of the columns, from the first, must be there.
    pub(super) const fn required(self) -> usize {
        match self {
            Self::Users => 1,
            Self::Friends | Self::Blocks => 2,
        }
    }
}

impl Line {
    pub(super) fn from_json(kind: Kind, text: &str) -> Result<Self, BadLine> {
        // An array would be taken for the members in their order.
        if !text.trim_start().starts_with('{') {
            return Err(BadLine("is no JSON object".to_owned()));
        }
        let read = match kind {
            Kind::Users => serde_json::from_str(text).map(Self::User),
            Kind::Friends => serde_json::from_str(text).map(Self::Friend),
            Kind::Blocks => serde_json::from_str(text).map(Self::Block),
        };
        // The position within the one line would be taken for one within the file.
        read.map_err(|error| {
            let words = error.to_string();
            let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
            BadLine(format!("is no JSON object as expected: {words}"))
        })
    }

    /// From the cells of a CSV line: `cell` gives that of a column, if the file has the column.
    pub(super) fn from_cells<'a>(
        kind: Kind,
        cell: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Self, BadLine> {
        let text = |column: &str| cell(column).map(str::to_owned);
        let name = |column: &str| text(column).unwrap_or_default();
        // An empty cell of these says nothing; an empty text is one.
        let value = |column: &str| text(column).filter(|text| !text.is_empty());
        Ok(match kind {
            Kind::Users => Self::User(UserLine {
                username: name("username"),
                nickname: text("nickname"),
                activated: match value("activated").as_deref() {
                    None => None,
                    Some("true") => Some(true),
                    Some("false") => Some(false),
                    Some(_) => return Err(BadLine("activated: must be true or false".to_owned())),
                },
                uuid: value("uuid"),
                created_at: value("created_at"),
                modified_at: value("modified_at"),
            }),
            Kind::Friends => Self::Friend(FriendLine {
                owner: name("owner"),
                friend: name("friend"),
                remark: text("remark"),
                extension: text("extension"),
                server_extension: text("server_extension"),
                created_at: value("created_at"),
                updated_at: value("updated_at"),
            }),
            Kind::Blocks => Self::Block(BlockLine {
                owner: name("owner"),
                blocked: name("blocked"),
                created_at: value("created_at"),
            }),
        })
    }

    /// The cells of a CSV line, in the order of [`Kind::columns`].
    pub(super) fn cells(&self) -> Vec<&str> {
        match self {
            Self::User(user) => vec![
                &user.username,
                or_empty(&user.nickname),
                match user.activated {
                    None => "",
                    Some(true) => "true",
                    Some(false) => "false",
                },
                or_empty(&user.uuid),
                or_empty(&user.created_at),
                or_empty(&user.modified_at),
            ],
            Self::Friend(entry) => vec![
                &entry.owner,
                &entry.friend,
                or_empty(&entry.remark),
                or_empty(&entry.extension),
                or_empty(&entry.server_extension),
                or_empty(&entry.created_at),
                or_empty(&entry.updated_at),
            ],
            Self::Block(block) => vec![&block.owner, &block.blocked, or_empty(&block.created_at)],
        }
    }

    /// The record, and what was left out of it.
    pub(super) fn parse(self, long: LongTexts) -> Result<(Record, Vec<BadLine>), BadLine> {
        let mut left_out = Vec::new();
        let record = match self {
            Self::User(user) => Record::User(UserRecord {
                username: Username::parse("username", &user.username)?,
                nickname: user.nickname.map(|n| Nickname::parse("nickname", &n)).transpose()?,
                activated: user.activated,
                uuid: user.uuid.map(|uuid| self::uuid(&uuid)).transpose()?,
                created_at: time("created_at", user.created_at)?,
                modified_at: time("modified_at", user.modified_at)?,
            }),
            Self::Friend(entry) => {
                let texts = EntryTexts {
                    remark: entry.remark,
                    extension: entry.extension,
                    server_extension: entry.server_extension,
                };
                let texts = match long {
                    LongTexts::Refuse => texts.check()?,
                    LongTexts::LeaveOut => without_long(texts, &mut left_out),
                };
                let (owner, friend) = two("owner", &entry.owner, "friend", &entry.friend)?;
                Record::Friend(FriendRecord {
                    owner,
                    friend,
                    texts,
                    created_at: time("created_at", entry.created_at)?,
                    updated_at: time("updated_at", entry.updated_at)?,
                })
            }
            Self::Block(block) => {
                let (owner, blocked) = two("owner", &block.owner, "blocked", &block.blocked)?;
                let created_at = time("created_at", block.created_at)?;
                Record::Block(BlockRecord { owner, blocked, created_at })
            }
        };
        Ok((record, left_out))
    }
}

impl From<&Record> for Line {
    fn from(record: &Record) -> Self {
        let text = |time: &Option<OffsetDateTime>| {
            let time = *time.as_ref()?;
            Some(time.format(&Rfc3339).expect("RFC 3339 has room for the year"))
        };
        match record {
            Record::User(user) => Self::User(UserLine {
                username: user.username.as_str().to_owned(),
                nickname: user.nickname.as_ref().map(|nickname| nickname.as_str().to_owned()),
                activated: user.activated,
                uuid: user.uuid.map(|uuid| uuid.to_string()),
                created_at: text(&user.created_at),
                modified_at: text(&user.modified_at),
            }),
            Record::Friend(entry) => Self::Friend(FriendLine {
                owner: entry.owner.as_str().to_owned(),
                friend: entry.friend.as_str().to_owned(),
                remark: entry.texts.remark.clone(),
                extension: entry.texts.extension.clone(),
                server_extension: entry.texts.server_extension.clone(),
                created_at: text(&entry.created_at),
                updated_at: text(&entry.updated_at),
            }),
            Record::Block(block) => Self::Block(BlockLine {
                owner: block.owner.as_str().to_owned(),
                blocked: block.blocked.as_str().to_owned(),
                created_at: text(&block.created_at),
            }),
        }
    }
}

fn or_empty(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
}

fn without_long(texts: EntryTexts, left_out: &mut Vec<BadLine>) -> EntryTexts {
    let mut keep = |checked: Option<Result<String, BadLine>>| match checked? {
        Ok(text) => Some(text),
        Err(why) => {
            left_out.push(why);
            None
        }
    };
    let extension = |field: &'static str, text: String| {
        Extension::parse(field, &text).map(|_| text).map_err(BadLine::from)
    };
    EntryTexts {
        remark: keep(
            texts.remark.map(|text| {
                Remark::parse_alias("remark", &text).map(|_| text).map_err(BadLine::from)
            }),
        ),
        extension: keep(texts.extension.map(|text| extension("extension", text))),
        server_extension: keep(
            texts.server_extension.map(|text| extension("server_extension", text)),
        ),
    }
}

fn two(
    field: &str,
    name: &str,
    other_field: &str,
    other: &str,
) -> Result<(Username, Username), BadLine> {
    let (name, other) = (Username::parse(field, name)?, Username::parse(other_field, other)?);
    if name == other {
        return Err(BadLine(format!("{field} and {other_field} are the same user, {name}")));
    }
    Ok((name, other))
}

/// A time that is given in milliseconds since 1970.
pub(crate) fn rfc3339(millis: i64) -> Option<String> {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000).ok()?;
    time.format(&Rfc3339).ok()
}

fn uuid(text: &str) -> Result<Uuid, BadLine> {
    Uuid::parse_str(text).map_err(|_| BadLine("uuid: is none".to_owned()))
}

fn time(field: &str, text: Option<String>) -> Result<Option<OffsetDateTime>, BadLine> {
    let read = text.map(|text| OffsetDateTime::parse(&text, &Rfc3339)).transpose();
    read.map_err(|_| BadLine(format!("{field}: must be a time as 2026-11-21T12:00:00Z")))
}
