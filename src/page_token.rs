//! Page tokens: where a page of a list ended, opaque to clients.
//!
//! A token carries a fingerprint of the list that it was issued for: method, app, owner and
//! filters. A token of another list, a damaged one and one of an older format are therefore
//! refused, and entries are never skipped silently. The fingerprint protects from mistakes, not
//! from forgery: a forged token could only point elsewhere in a list that its bearer may read
//! anyway.

use std::{borrow::Cow, fmt, marker::PhantomData};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use prost::Message;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::domain::{AuditPosition, EventPosition, Invalid, SyncPosition, Username};

/// The format of the tokens, which changes when old tokens can't be read any more.
const FORMAT: u32 = 1;

/// The page tokens of one list, whose pages end at a `P`.
#[derive(Clone, Debug)]
pub struct PageTokens<'a, P> {
    /// The method that lists it: "FriendService/ListFriends".
    method: &'static str,
    /// The app; `None` for the list of apps.
    app: Option<Uuid>,
    /// Whose list it is, and its filters; empty for a list that belongs to the whole app.
    scope: Cow<'a, str>,
    position: PhantomData<P>,
}

/// The apps.
#[must_use]
pub fn apps() -> PageTokens<'static, String> {
    PageTokens::new("AppService/ListApps", None, "")
}

/// The records of changes, with the filters of the call.
#[must_use]
pub fn audit_events(filters: impl fmt::Debug) -> PageTokens<'static, AuditPosition> {
    PageTokens::new("AuditService/ListAuditEvents", None, format!("{filters:?}"))
}

/// The operator tokens.
#[must_use]
pub fn operator_tokens() -> PageTokens<'static, String> {
    PageTokens::new("OperatorTokenService/ListOperatorTokens", None, "")
}

/// The users of an app.
#[must_use]
pub fn users(app: Uuid) -> PageTokens<'static, String> {
    PageTokens::new("UserService/ListUsers", Some(app), "")
}

/// The friends of a user.
#[must_use]
pub fn friends(app: Uuid, owner: &Username) -> PageTokens<'_, String> {
    PageTokens::new("FriendService/ListFriends", Some(app), owner.as_str())
}

/// The friends that two users have in common.
#[must_use]
pub fn mutual_friends(
    app: Uuid,
    username: &Username,
    other: &Username,
) -> PageTokens<'static, String> {
    let scope = format!("{username}/{other}");
    PageTokens::new("FriendService/ListMutualFriends", Some(app), scope)
}

/// The friend requests of a user, with the filters of the call.
#[must_use]
pub fn friend_requests(
    app: Uuid,
    username: &Username,
    filters: impl fmt::Debug,
) -> PageTokens<'static, i64> {
    let scope = format!("{username}/{filters:?}");
    PageTokens::new("FriendService/ListFriendRequests", Some(app), scope)
}

/// The users whom a user blocks.
#[must_use]
pub fn blocks(app: Uuid, owner: &Username) -> PageTokens<'_, i64> {
    PageTokens::new("BlockService/ListBlockedUsers", Some(app), owner.as_str())
}

/// The events of an app, with the filters of the call.
#[must_use]
pub fn events(app: Uuid, filters: impl fmt::Debug) -> PageTokens<'static, EventPosition> {
    PageTokens::new("EventService/ListEvents", Some(app), format!("{filters:?}"))
}

/// The changes of a user's friend list since a version, with the options of the call.
#[must_use]
pub fn friend_changes(
    app: Uuid,
    owner: &Username,
    since_version: i64,
    options: impl fmt::Debug,
) -> PageTokens<'static, SyncPosition> {
    let scope = format!("{owner}/{since_version}/{options:?}");
    PageTokens::new("FriendService/SyncFriends", Some(app), scope)
}

/// The changes of a user's block list since a version.
#[must_use]
pub fn block_changes(
    app: Uuid,
    owner: &Username,
    since_version: i64,
) -> PageTokens<'static, SyncPosition> {
    let scope = format!("{owner}/{since_version}");
    PageTokens::new("BlockService/SyncBlocks", Some(app), scope)
}

impl<'a, P: Position> PageTokens<'a, P> {
    fn new(method: &'static str, app: Option<Uuid>, scope: impl Into<Cow<'a, str>>) -> Self {
        Self { method, app, scope: scope.into(), position: PhantomData }
    }

    /// The token for the page after `position`; empty for `None`, when there is no such page.
    #[must_use]
    pub fn write(&self, position: Option<P>) -> String {
        let Some(position) = position.map(P::encode) else {
            return String::new();
        };
        let fingerprint = self.fingerprint(&position);
        let token = Token { format: FORMAT, fingerprint, position };
        BASE64_URL_SAFE_NO_PAD.encode(token.encode_to_vec())
    }

    /// The position after which the page of `token` begins; that of the first page for an empty
    /// token.
    ///
    /// # Errors
    /// [`Invalid::PageToken`] unless the token was issued for this list.
    pub fn read(&self, token: &str) -> Result<P, Invalid> {
        self.read_or(token, P::start())
    }

    /// The same, but `start` for an empty token.
    ///
    /// # Errors
    /// [`Invalid::PageToken`] unless the token was issued for this list.
    pub fn read_or(&self, token: &str, start: P) -> Result<P, Invalid> {
        if token.is_empty() {
            return Ok(start);
        }
        BASE64_URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| Token::decode(bytes.as_slice()).ok())
            .filter(|token| token.format == FORMAT)
            .filter(|token| token.fingerprint == self.fingerprint(&token.position))
            .and_then(|token| P::decode(token.position))
            .ok_or(Invalid::PageToken)
    }

    /// The first 8 bytes of a hash of the list and the position.
    fn fingerprint(&self, position: &str) -> u64 {
        let digest = Sha256::new()
            .chain_update(self.method)
            .chain_update([0])
            .chain_update(self.app.unwrap_or_default().as_bytes())
            .chain_update(self.scope.as_bytes())
            .chain_update([0])
            .chain_update(position)
            .finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first)
    }
}

/// A token's content, in base64 on the wire.
#[derive(Clone, PartialEq, Message)]
struct Token {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(fixed64, tag = "2")]
    fingerprint: u64,
    #[prost(string, tag = "3")]
    position: String,
}

/// Where a page can end.
pub trait Position: Sized {
    /// The position before the first page.
    fn start() -> Self;
    /// The position as text.
    fn encode(self) -> String;
    /// Reads a position; `None` when the text is not one.
    fn decode(text: String) -> Option<Self>;
}

/// After a name, in ascending order.
impl Position for String {
    fn start() -> Self {
        Self::new()
    }
    fn encode(self) -> String {
        self
    }
    fn decode(text: String) -> Option<Self> {
        // Postgres refuses a NUL in text, and no name contains one.
        Some(text).filter(|name| !name.contains('\0'))
    }
}

/// Before a version, newest first.
impl Position for i64 {
    fn start() -> Self {
        Self::MAX
    }
    fn encode(self) -> String {
        self.to_string()
    }
    fn decode(text: String) -> Option<Self> {
        text.parse().ok()
    }
}

/// Before an event, newest first.
impl Position for EventPosition {
    fn start() -> Self {
        Self::start()
    }
    fn encode(self) -> String {
        self.render()
    }
    fn decode(text: String) -> Option<Self> {
        Self::parse(&text)
    }
}

/// Before a record of a change, newest first.
impl Position for AuditPosition {
    fn start() -> Self {
        Self::start()
    }
    fn encode(self) -> String {
        self.render()
    }
    fn decode(text: String) -> Option<Self> {
        Self::parse(&text)
    }
}

/// After a version of a list's changes, with the version up to which tombstones were purged; and whether
/// that is in the middle of a full resync.
impl Position for SyncPosition {
    fn start() -> Self {
        Self::at(0)
    }
    fn encode(self) -> String {
        let resync = if self.in_resync { RESYNC } else { "" };
        format!("{}/{}{resync}", self.version, self.purged_to.unwrap_or(-1))
    }
    fn decode(text: String) -> Option<Self> {
        let versions = text.strip_suffix(RESYNC);
        let (version, purged_to) = versions.unwrap_or(&text).split_once('/')?;
        let purged_to = purged_to.parse().ok()?;
        Some(Self {
            version: version.parse().ok()?,
            purged_to: (purged_to >= 0).then_some(purged_to),
            in_resync: versions.is_some(),
        })
    }
}

/// Ends the text of a [`SyncPosition`] in the middle of a full resync.
const RESYNC: &str = "/resync";

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: &str = "A/List";

    fn names() -> PageTokens<'static, String> {
        PageTokens::new(METHOD, None, "alice")
    }

    fn versions() -> PageTokens<'static, i64> {
        PageTokens::new(METHOD, None, "alice")
    }

    #[test]
    fn a_token_leads_back_to_its_position() {
        let token = names().write(Some("bob".to_owned()));
        assert_eq!(names().read(&token).unwrap(), "bob");
        let token = versions().write(Some(42));
        assert_eq!(versions().read(&token).unwrap(), 42);
        assert_eq!(versions().write(None), "");
        assert_eq!(versions().read("").unwrap(), i64::MAX);
        assert_eq!(versions().read_or("", 7).unwrap(), 7);
        let changes = PageTokens::new(METHOD, None, "alice");
        for (purged_to, in_resync) in
            [(None, false), (Some(0), false), (Some(5), false), (Some(5), true)]
        {
            let position = SyncPosition { version: 9, purged_to, in_resync };
            assert_eq!(changes.read(&changes.write(Some(position))).unwrap(), position);
        }
    }

    #[test]
    fn a_token_of_another_call_app_owner_or_kind_is_refused() {
        let token = names().write(Some("bob".to_owned()));
        let app = Some(Uuid::from_u128(1));
        for elsewhere in [
            PageTokens::<String>::new("B/List", None, "alice"),
            PageTokens::new(METHOD, app, "alice"),
            PageTokens::new(METHOD, None, "carol"),
        ] {
            assert_eq!(elsewhere.read(&token), Err(Invalid::PageToken));
        }
        assert_eq!(versions().read(&token), Err(Invalid::PageToken));
    }

    #[test]
    fn a_token_damaged_anywhere_or_of_another_format_is_refused() {
        let token = names().write(Some("bob".to_owned()));
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let damaged = BASE64_URL_SAFE_NO_PAD.encode(damaged);
                assert_eq!(names().read(&damaged), Err(Invalid::PageToken));
            }
        }
        let mut newer = Token::decode(bytes.as_slice()).unwrap();
        newer.format = FORMAT + 1;
        let newer = BASE64_URL_SAFE_NO_PAD.encode(newer.encode_to_vec());
        assert_eq!(names().read(&newer), Err(Invalid::PageToken));
        for rubbish in ["x", "%%%", "AAAA", "ünicode", &"A".repeat(10_000)] {
            assert_eq!(names().read(rubbish), Err(Invalid::PageToken));
        }
    }
}
