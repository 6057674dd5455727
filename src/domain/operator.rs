//! Operators: those who run the installation, each with a name and a role.

use std::{fmt, time::Duration};

use time::OffsetDateTime;

use super::Invalid;

/// What an operator may do. Each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    ReadOnly,
    /// Read, send events again, and try callback rules out.
    Support,
    /// Everything.
    Admin,
}

impl Role {
    /// All roles, the one with the fewest rights first.
    pub const ALL: [Self; 3] = [Self::ReadOnly, Self::Support, Self::Admin];

    /// The role's name in the store, at the console and in errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Support => "support",
            Self::Admin => "admin",
        }
    }

    /// The role of a name; `None` for any other text.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// A role from its name in the store, whose constraint allows these three. Any other name would be one
    /// with unknown rights: it gets the fewest.
    pub(crate) fn from_store(name: &str) -> Self {
        Self::of_name(name).unwrap_or(Self::ReadOnly)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of an operator's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorName(String);

impl OperatorName {
    /// The longest name, in characters.
    pub const MAX_CHARS: usize = 64;

    /// The name that stands for the token of the settings, which no other token can have.
    pub const ROOT: &'static str = "root";

    /// Reads a name that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Argument`].
    pub fn parse(field: &str, name: &str) -> Result<Self, Invalid> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
        if name == Self::ROOT {
            let why = "must not be \"root\", which is the operator token of the settings";
            return Err(Invalid::argument(field, why));
        }
        if (1..=Self::MAX_CHARS).contains(&name.len()) && name.bytes().all(legal) {
            return Ok(Self(name.to_owned()));
        }
        Err(Invalid::argument(field, "must be 1-64 characters of A-Z a-z 0-9 . _ @ -"))
    }

    /// A name that was read from the database.
    pub(crate) fn from_store(name: String) -> Self {
        Self(name)
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OperatorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An operator's token, without the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorToken {
    /// Whose it is.
    pub name: OperatorName,
    /// What its bearer may do.
    pub role: Role,
    /// When it was created.
    pub created_at: OffsetDateTime,
    /// When it expires; `None`: never.
    pub expires_at: Option<OffsetDateTime>,
}

impl OperatorToken {
    /// The shortest life that can be asked for: on a slow network a shorter one could end before the
    /// token's first use.
    pub const MIN_TTL: Duration = Duration::from_secs(60);
    /// The longest life that can be asked for.
    pub const MAX_TTL: Duration = Duration::from_hours(366 * 24);

    /// Checks how long a token is to live; zero stands for no end.
    ///
    /// # Errors
    /// [`Invalid::Argument`] when `ttl` is out of range.
    pub fn choose_ttl(ttl: Duration) -> Result<Option<Duration>, Invalid> {
        if ttl.is_zero() {
            return Ok(None);
        }
        if (Self::MIN_TTL..=Self::MAX_TTL).contains(&ttl) {
            return Ok(Some(ttl));
        }
        Err(Invalid::argument("ttl", "must be between 1 minute and 366 days, or 0 for no end"))
    }

    /// Whether the token is valid at a time.
    #[must_use]
    pub fn is_valid_at(&self, now: OffsetDateTime) -> bool {
        self.expires_at.is_none_or(|expires_at| expires_at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_visible_and_not_root() {
        for good in ["alice", "ci.deploy", "bob@example.com", "A-1_b", &"x".repeat(64)] {
            assert_eq!(OperatorName::parse("name", good).unwrap().as_str(), good);
        }
        for bad in ["", "root", "a b", "a:b", "a/b", "ä", "a\n", &"x".repeat(65)] {
            assert!(OperatorName::parse("name", bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn roles_are_ordered_by_their_rights_and_known_by_their_names() {
        assert!(Role::ReadOnly < Role::Support && Role::Support < Role::Admin);
        for role in Role::ALL {
            assert_eq!(Role::of_name(role.as_str()), Some(role));
        }
        assert_eq!(Role::of_name("Admin"), None);
        assert_eq!(Role::from_store("of a newer version"), Role::ReadOnly);
    }

    #[test]
    fn a_life_is_a_minute_to_a_year_or_has_no_end() {
        let minute = Duration::from_secs(60);
        assert_eq!(OperatorToken::choose_ttl(Duration::ZERO).unwrap(), None);
        assert_eq!(OperatorToken::choose_ttl(minute).unwrap(), Some(minute));
        for bad in [minute - Duration::from_millis(1), OperatorToken::MAX_TTL + minute] {
            assert!(OperatorToken::choose_ttl(bad).is_err(), "{bad:?} was taken");
        }
    }
}
