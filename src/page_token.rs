//! Page tokens: opaque to callers, bound to the list and call that gave them out.
//!
//! A token says where a page ended. It carries a fingerprint of the call, the app and the list's
//! owner, so that one from elsewhere, a damaged one and one of an older format are all refused,
//! rather than skip entries silently. It protects from mistakes, not from forgery: a forged one
//! could only point elsewhere in a list that its maker may read anyway.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use prost::Message;
use sha2::{Digest as _, Sha256};

use crate::domain::{EventPosition, Invalid, SyncPosition};

/// The format of the tokens that we give out and take.
const FORMAT: u32 = 1;

#[derive(Clone, PartialEq, Message)]
struct Token {
    #[prost(uint32, tag = "1")]
    format: u32,
    #[prost(fixed64, tag = "2")]
    fingerprint: u64,
    #[prost(oneof = "Place", tags = "3, 4")]
    place: Option<Place>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Place {
    #[prost(string, tag = "3")]
    AfterName(String),
    #[prost(int64, tag = "4")]
    BeforeVersion(i64),
}

/// Which list of which call a token is for: "FriendService/ListFriends", and the list's owner.
#[derive(Clone, Copy, Debug)]
pub struct Binding<'a> {
    /// The call.
    pub call: &'static str,
    /// The app; none for lists of apps.
    pub app: Option<uuid::Uuid>,
    /// The owner of the list; empty for lists that have none.
    pub owner: &'a str,
}

/// Where a page can end.
pub trait Position: Sized {
    /// Where the first page starts.
    fn start() -> Self;
    /// The token's form.
    #[doc(hidden)]
    fn into_token(self) -> Opaque;
    /// From the token's form, if it is of this kind.
    #[doc(hidden)]
    fn from_token(place: Opaque) -> Option<Self>;
}

/// A position on its way into or out of a token.
#[doc(hidden)]
pub struct Opaque(Place);

/// After a name, in name order.
impl Position for String {
    fn start() -> Self {
        Self::new()
    }
    fn into_token(self) -> Opaque {
        Opaque(Place::AfterName(self))
    }
    fn from_token(place: Opaque) -> Option<Self> {
        match place.0 {
            Place::AfterName(name) => Some(name),
            Place::BeforeVersion(_) => None,
        }
    }
}

/// Before an event, newest first.
impl Position for EventPosition {
    fn start() -> Self {
        Self::start()
    }
    fn into_token(self) -> Opaque {
        Opaque(Place::AfterName(self.render()))
    }
    fn from_token(place: Opaque) -> Option<Self> {
        String::from_token(place).and_then(|text| Self::parse(&text))
    }
}

/// On a walk over the changes of a list.
impl Position for SyncPosition {
    fn start() -> Self {
        Self { version: 0, purged_to: None }
    }
    fn into_token(self) -> Opaque {
        let purged_to = self.purged_to.unwrap_or(-1);
        Opaque(Place::AfterName(format!("{}/{purged_to}", self.version)))
    }
    fn from_token(place: Opaque) -> Option<Self> {
        let text = String::from_token(place)?;
        let (version, purged_to) = text.split_once('/')?;
        let purged_to = purged_to.parse().ok()?;
        Some(Self {
            version: version.parse().ok()?,
            purged_to: (purged_to >= 0).then_some(purged_to),
        })
    }
}

/// Before a version, newest first.
impl Position for i64 {
    fn start() -> Self {
        Self::MAX
    }
    fn into_token(self) -> Opaque {
        Opaque(Place::BeforeVersion(self))
    }
    fn from_token(place: Opaque) -> Option<Self> {
        match place.0 {
            Place::BeforeVersion(version) => Some(version),
            Place::AfterName(_) => None,
        }
    }
}

/// The token for the page after `position`; empty when there is none.
pub fn write<P: Position>(binding: Binding<'_>, position: Option<P>) -> String {
    let Some(position) = position else {
        return String::new();
    };
    let place = position.into_token().0;
    let token =
        Token { format: FORMAT, fingerprint: fingerprint(binding, &place), place: Some(place) };
    BASE64_URL_SAFE_NO_PAD.encode(token.encode_to_vec())
}

/// Where the page of `token` starts; an empty one is the first page.
///
/// # Errors
/// [`Invalid::PageToken`] unless we gave it out for this binding.
pub fn read<P: Position>(binding: Binding<'_>, token: &str) -> Result<P, Invalid> {
    if token.is_empty() {
        return Ok(P::start());
    }
    let token = BASE64_URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| Token::decode(bytes.as_slice()).ok())
        .filter(|token| token.format == FORMAT)
        .ok_or(Invalid::PageToken)?;
    let place = token.place.ok_or(Invalid::PageToken)?;
    if token.fingerprint != fingerprint(binding, &place) {
        return Err(Invalid::PageToken);
    }
    P::from_token(Opaque(place)).ok_or(Invalid::PageToken)
}

/// The first 8 bytes of a hash over all that a token is bound to, its own place included.
fn fingerprint(binding: Binding<'_>, place: &Place) -> u64 {
    let digest = Sha256::new()
        .chain_update(binding.call)
        .chain_update([0])
        .chain_update(binding.app.unwrap_or_default().as_bytes())
        .chain_update(binding.owner)
        .chain_update([0])
        .chain_update(format!("{place:?}"))
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Binding<'static> = Binding { call: "A/List", app: None, owner: "alice" };

    #[test]
    fn a_token_leads_back_to_its_place() {
        let token = write(HERE, Some("bob".to_owned()));
        assert_eq!(read::<String>(HERE, &token).unwrap(), "bob");
        let token = write(HERE, Some(42_i64));
        assert_eq!(read::<i64>(HERE, &token).unwrap(), 42);
        assert_eq!(write::<i64>(HERE, None), "");
        assert_eq!(read::<i64>(HERE, "").unwrap(), i64::MAX);
    }

    #[test]
    fn a_token_of_another_call_app_owner_or_kind_is_refused() {
        let token = write(HERE, Some("bob".to_owned()));
        for elsewhere in [
            Binding { call: "B/List", ..HERE },
            Binding { app: Some(uuid::Uuid::from_u128(1)), ..HERE },
            Binding { owner: "carol", ..HERE },
        ] {
            assert_eq!(read::<String>(elsewhere, &token), Err(Invalid::PageToken));
        }
        assert_eq!(read::<i64>(HERE, &token), Err(Invalid::PageToken));
    }

    #[test]
    fn a_token_damaged_anywhere_or_of_another_format_is_refused() {
        let token = write(HERE, Some("bob".to_owned()));
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let damaged = BASE64_URL_SAFE_NO_PAD.encode(damaged);
                assert_eq!(read::<String>(HERE, &damaged), Err(Invalid::PageToken));
            }
        }
        let mut newer = Token::decode(bytes.as_slice()).unwrap();
        newer.format = FORMAT + 1;
        let newer = BASE64_URL_SAFE_NO_PAD.encode(newer.encode_to_vec());
        assert_eq!(read::<String>(HERE, &newer), Err(Invalid::PageToken));
        for rubbish in ["x", "%%%", "AAAA", "ünicode", &"A".repeat(10_000)] {
            assert_eq!(read::<String>(HERE, rubbish), Err(Invalid::PageToken));
        }
    }
}
