//! The members of a line, the same in JSON and CSV, and the record that they are parsed to.

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};
use uuid::Uuid;

use super::files::Kind;
use crate::domain::{
    BadLine, BlockRecord, EntryTexts, Extension, FriendRecord, Nickname, Record, Remark,
    UserRecord, Username, from_unix_millis,
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

/// How an import treats a line with a value that can't be stored beside valid names: a text that is too
/// long, a malformed UUID or time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidValues {
    /// The line is not imported.
    Refuse,
    /// The line is imported without that value.
    LeaveOut,
}

impl Kind {
    /// The columns of a CSV file, in the order of an export. The first [`Self::required`] are
    /// required.
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

    /// How many of the columns, from the first, are required.
    pub(super) const fn required(self) -> usize {
        match self {
            Self::Users => 1,
            Self::Friends | Self::Blocks => 2,
        }
    }
}

impl Line {
    pub(super) fn from_json(kind: Kind, text: &str) -> Result<Self, BadLine> {
        // serde reads an array as the members in their order.
        if !text.trim_start().starts_with('{') {
            return Err(BadLine("is not a JSON object".to_owned()));
        }
        let read = match kind {
            Kind::Users => serde_json::from_str(text).map(Self::User),
            Kind::Friends => serde_json::from_str(text).map(Self::Friend),
            Kind::Blocks => serde_json::from_str(text).map(Self::Block),
        };
        // " at line 1 column 7" counts within this line, and would read as a position in the file.
        read.map_err(|error| {
            let words = error.to_string();
            let words = words.rsplit_once(" at line ").map_or(words.as_str(), |(words, _)| words);
            BadLine(format!("is not the expected JSON object: {words}"))
        })
    }

    /// Reads the cells of a CSV line: `cell` returns the cell of a column, if the file has the column.
    pub(super) fn from_cells<'a>(
        kind: Kind,
        cell: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Self, BadLine> {
        let text = |column: &str| cell(column).map(str::to_owned);
        let name = |column: &str| text(column).unwrap_or_default();
        // An empty cell means no value here, but an empty text in a column of texts.
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

    /// The record, and why values were left out of it.
    pub(super) fn parse(
        self,
        invalid_values: InvalidValues,
    ) -> Result<(Record, Vec<BadLine>), BadLine> {
        let mut members = Members { invalid_values, left_out: Vec::new() };
        let record = match self {
            Self::User(user) => Record::User(UserRecord {
                username: Username::parse("username", &user.username)?,
                nickname: members.take(user.nickname, |n| Nickname::parse("nickname", n))?,
                activated: user.activated,
                uuid: members.take(user.uuid, uuid)?,
                created_at: members.take(user.created_at, |t| time("created_at", t))?,
                modified_at: members.take(user.modified_at, |t| time("modified_at", t))?,
            }),
            Self::Friend(entry) => {
                let texts = EntryTexts {
                    remark: members.take(entry.remark, |text| {
                        Remark::parse_alias("remark", text).map(|_| text.to_owned())
                    })?,
                    extension: members.take(entry.extension, |text| {
                        Extension::parse("extension", text).map(|_| text.to_owned())
                    })?,
                    server_extension: members.take(entry.server_extension, |text| {
                        Extension::parse("server_extension", text).map(|_| text.to_owned())
                    })?,
                };
                let (owner, friend) = two("owner", &entry.owner, "friend", &entry.friend)?;
                Record::Friend(FriendRecord {
                    owner,
                    friend,
                    texts,
                    created_at: members.take(entry.created_at, |t| time("created_at", t))?,
                    updated_at: members.take(entry.updated_at, |t| time("updated_at", t))?,
                })
            }
            Self::Block(block) => {
                let (owner, blocked) = two("owner", &block.owner, "blocked", &block.blocked)?;
                let created_at = members.take(block.created_at, |t| time("created_at", t))?;
                Record::Block(BlockRecord { owner, blocked, created_at })
            }
        };
        Ok((record, members.left_out))
    }
}

/// Parses the optional members.
struct Members {
    invalid_values: InvalidValues,
    left_out: Vec<BadLine>,
}

impl Members {
    fn take<T, E: Into<BadLine>>(
        &mut self,
        text: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, BadLine> {
        match text.map(|text| parse(&text)).transpose() {
            Ok(value) => Ok(value),
            Err(why) if self.invalid_values == InvalidValues::LeaveOut => {
                self.left_out.push(why.into());
                Ok(None)
            }
            Err(why) => Err(why.into()),
        }
    }
}

impl TryFrom<&Record> for Line {
    type Error = BadLine;

    /// Fails for a time in a year that RFC 3339 can't write.
    fn try_from(record: &Record) -> Result<Self, BadLine> {
        let text = |field: &str, owner: &Username, time: Option<OffsetDateTime>| {
            let text = time.map(|time| time.format(&Rfc3339)).transpose();
            text.map_err(|error| BadLine(format!("{field} of {owner} can't be written: {error}")))
        };
        Ok(match record {
            Record::User(user) => Self::User(UserLine {
                username: user.username.as_str().to_owned(),
                nickname: user.nickname.as_ref().map(|nickname| nickname.as_str().to_owned()),
                activated: user.activated,
                uuid: user.uuid.map(|uuid| uuid.to_string()),
                created_at: text("created_at", &user.username, user.created_at)?,
                modified_at: text("modified_at", &user.username, user.modified_at)?,
            }),
            Record::Friend(entry) => Self::Friend(FriendLine {
                owner: entry.owner.as_str().to_owned(),
                friend: entry.friend.as_str().to_owned(),
                remark: entry.texts.remark.clone(),
                extension: entry.texts.extension.clone(),
                server_extension: entry.texts.server_extension.clone(),
                created_at: text("created_at", &entry.owner, entry.created_at)?,
                updated_at: text("updated_at", &entry.owner, entry.updated_at)?,
            }),
            Record::Block(block) => Self::Block(BlockLine {
                owner: block.owner.as_str().to_owned(),
                blocked: block.blocked.as_str().to_owned(),
                created_at: text("created_at", &block.owner, block.created_at)?,
            }),
        })
    }
}

fn or_empty(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default()
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

/// Writes a time that is given in milliseconds since 1970; `None` for one that can't be written.
pub(crate) fn rfc3339(millis: i64) -> Option<String> {
    from_unix_millis(millis)?.format(&Rfc3339).ok()
}

fn uuid(text: &str) -> Result<Uuid, BadLine> {
    Uuid::parse_str(text).map_err(|_| BadLine("uuid: is not a UUID".to_owned()))
}

/// Parses a time, turns it to UTC, and cuts it to whole microseconds: Postgres keeps no more, and would round
/// the last moment of 9999 up to the year 10000. Only the years 1970 to 9999 are accepted: others are mistakes,
/// and neither Postgres nor RFC 3339 can write all of them.
fn time(field: &str, text: &str) -> Result<OffsetDateTime, BadLine> {
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .map_err(|_| BadLine(format!("{field}: must be a time as 2026-11-21T12:00:00Z")))?;
    time.checked_to_offset(UtcOffset::UTC)
        .map(|time| time.truncate_to_microsecond())
        .filter(|time| (1970..=9999).contains(&time.year()))
        .ok_or_else(|| BadLine(format!("{field}: must be from 1970 to 9999, in UTC")))
}
