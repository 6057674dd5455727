//! Apps: the tenants.

use std::fmt;

use time::OffsetDateTime;
use uuid::Uuid;

use super::Invalid;

/// The name of an app: "org#app", each part 1-64 characters of `A-Z a-z 0-9 _ -` (Easemob's app key).
/// Case matters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AppKey(String);

impl AppKey {
    /// Reads an app key that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Argument`] unless it is "org#app".
    pub fn parse(field: impl fmt::Display, key: &str) -> Result<Self, Invalid> {
        // A key without '#' gets an empty second part, which is illegal.
        let (org, app) = key.split_once('#').unwrap_or((key, ""));
        Self::from_parts(field, org, app)
    }

    /// Joins the two parts of an app key that came in as the request's `field`.
    ///
    /// # Errors
    /// [`Invalid::Argument`] unless each part is 1-64 characters of the alphabet.
    pub fn from_parts(field: impl fmt::Display, org: &str, app: &str) -> Result<Self, Invalid> {
        let legal = |part: &str| {
            (1..=64).contains(&part.len())
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        };
        if legal(org) && legal(app) {
            return Ok(Self(format!("{org}#{app}")));
        }
        Err(Invalid::argument(
            field,
            "must be \"org#app\", each part 1-64 characters of A-Z a-z 0-9 _ -",
        ))
    }

    /// A key that was read from the database.
    pub(crate) fn from_store(key: String) -> Self {
        Self(key)
    }

    /// The whole key, "org#app".
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The organisation: the part before the "#".
    #[must_use]
    pub fn org(&self) -> &str {
        self.parts().0
    }

    /// The app's name within its organisation: the part after the "#".
    #[must_use]
    pub fn app(&self) -> &str {
        self.parts().1
    }

    fn parts(&self) -> (&str, &str) {
        self.0.split_once('#').expect("every app key holds a \"#\"")
    }
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How much an app's users and callers may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppLimits {
    /// Friends a user can have.
    pub friend_limit: i32,
    /// Users a user can block.
    pub block_limit: i32,
    /// Calls a second, of each operation.
    pub requests_per_second: i32,
}

impl Default for AppLimits {
    /// The vendors' figures: 3000 friends, 500 blocks, 100 calls a second.
    fn default() -> Self {
        Self { friend_limit: 3000, block_limit: 500, requests_per_second: 100 }
    }
}

/// A change of an app's limits. `None` leaves a limit as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AppLimitsChange {
    /// Friends a user can have, 0-10,000.
    pub friend_limit: Option<i32>,
    /// Users a user can block, 0-10,000.
    pub block_limit: Option<i32>,
    /// Calls a second, 1-1,000,000.
    pub requests_per_second: Option<i32>,
}

impl AppLimitsChange {
    /// The largest friend or block list: ListAllFriends sends a whole list in one message, and
    /// RemoveAllFriends changes a whole list in one transaction.
    pub const MAX_LIST: i32 = 10_000;
    /// The highest rate that can be set.
    pub const MAX_RATE: i32 = 1_000_000;

    /// The limits after this change.
    ///
    /// # Errors
    /// [`Invalid::Argument`] when a limit is out of its range.
    pub fn apply(self, limits: AppLimits) -> Result<AppLimits, Invalid> {
        let within = |field: &str, value: i32, min: i32, max: i32| {
            if (min..=max).contains(&value) {
                Ok(value)
            } else {
                Err(Invalid::argument(field, format!("must be between {min} and {max}")))
            }
        };
        Ok(AppLimits {
            friend_limit: within(
                "limits.friend_limit",
                self.friend_limit.unwrap_or(limits.friend_limit),
                0,
                Self::MAX_LIST,
            )?,
            block_limit: within(
                "limits.block_limit",
                self.block_limit.unwrap_or(limits.block_limit),
                0,
                Self::MAX_LIST,
            )?,
            requests_per_second: within(
                "limits.requests_per_second",
                self.requests_per_second.unwrap_or(limits.requests_per_second),
                1,
                Self::MAX_RATE,
            )?,
        })
    }
}

/// A tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// The app's identifier, which never changes. Easemob calls it the application.
    pub id: Uuid,
    /// The app's name.
    pub key: AppKey,
    /// The public half of the app's credentials.
    pub client_id: String,
    /// The public half of the app's NetEase credentials, if it has any.
    pub netease_app_key: Option<String>,
    /// The app's limits.
    pub limits: AppLimits,
    /// When the app was created.
    pub created_at: OffsetDateTime,
    /// When the app's limits or credentials changed last.
    pub modified_at: OffsetDateTime,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_key_has_two_parts_of_a_closed_alphabet() {
        for good in ["acme#chat", "1100181023201864#demo", "A_b-9#x"] {
            let key = AppKey::parse("app_key", good).expect(good);
            assert_eq!(format!("{}#{}", key.org(), key.app()), good);
        }
        for bad in ["", "#", "acme", "acme#", "#chat", "a#b#c", "a b#c", "ä#b", "a/b#c"] {
            assert!(AppKey::parse("app_key", bad).is_err(), "{bad:?} was taken");
        }
        assert!(AppKey::parse("app_key", &format!("a#{}", "b".repeat(65))).is_err());
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name_and_refuses_what_is_out_of_range() {
        let change = AppLimitsChange { block_limit: Some(7), ..AppLimitsChange::default() };
        let changed = change.apply(AppLimits::default()).unwrap();
        assert_eq!((changed.friend_limit, changed.block_limit), (3000, 7));
        for (friends, rate) in [(-1, 1), (10_001, 1), (1, 0), (1, 1_000_001)] {
            let change = AppLimitsChange {
                friend_limit: Some(friends),
                requests_per_second: Some(rate),
                ..AppLimitsChange::default()
            };
            assert!(change.apply(AppLimits::default()).is_err());
        }
    }
}
