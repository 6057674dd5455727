//! The bounds of requests and of token lifetimes.

use std::time::Duration;

use super::{Invalid, PageSizes};

/// How much one request may send or ask for, and how much a user or an app may have.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Names in an ImportFriends (Easemob's bound is 10).
    pub import_names: usize,
    /// Names in a BlockUsers.
    pub block_names: usize,
    /// Other users in a CheckRelations.
    pub check_names: usize,
    /// Users in a BatchCreateUsers (Easemob's bound is 60).
    pub batch_users: usize,
    /// Page sizes of ListFriends (Easemob's: 1-50, default 10).
    pub friend_pages: PageSizes,
    /// Page sizes of ListBlockedUsers (Easemob's: 1-50, default 50).
    pub block_pages: PageSizes,
    /// Page sizes of ListUsers.
    pub user_pages: PageSizes,
    /// Page sizes of ListApps.
    pub app_pages: PageSizes,
    /// Page sizes of ListAuditEvents.
    pub audit_pages: PageSizes,
    /// Page sizes of ListOperatorTokens.
    pub operator_token_pages: PageSizes,
    /// Page sizes of SyncFriends and SyncBlocks.
    pub sync_pages: PageSizes,
    /// Page sizes of ListFriendRequests.
    pub request_pages: PageSizes,
    /// Pending friend requests that a user can have: so many received, and so many sent.
    pub pending_requests: i32,
    /// Callback rules that an app can have.
    pub callback_rules: usize,
    /// Page sizes of ListEvents.
    pub event_pages: PageSizes,
    /// Names in the response of ListAllBlockedUsers (Easemob's: the newest 500).
    pub newest_blocks: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            import_names: 10,
            block_names: 500,
            check_names: 100,
            batch_users: 60,
            friend_pages: PageSizes { max: 50, default: 10 },
            block_pages: PageSizes { max: 50, default: 50 },
            user_pages: PageSizes { max: 100, default: 10 },
            app_pages: PageSizes { max: 100, default: 50 },
            audit_pages: PageSizes { max: 100, default: 50 },
            operator_token_pages: PageSizes { max: 100, default: 50 },
            sync_pages: PageSizes { max: 500, default: 100 },
            request_pages: PageSizes { max: 50, default: 10 },
            pending_requests: 500,
            callback_rules: 4,
            event_pages: PageSizes { max: 100, default: 10 },
            newest_blocks: 500,
        }
    }
}

/// How long app tokens are valid.
#[derive(Clone, Copy, Debug)]
pub struct TokenLifetimes {
    /// The lifetime when the caller asks for none.
    pub default: Duration,
    /// The longest lifetime that a caller can ask for.
    pub max: Duration,
}

impl TokenLifetimes {
    /// The shortest lifetime: on a slow network a shorter one could end before the token's first use.
    pub const MIN: Duration = Duration::from_secs(60);

    /// The lifetime of a token when the caller asks for `wanted`; zero stands for the default.
    ///
    /// # Errors
    /// [`Invalid::Argument`] when `wanted` is out of range.
    pub fn choose(&self, wanted: Duration) -> Result<Duration, Invalid> {
        if wanted.is_zero() {
            return Ok(self.default);
        }
        if (Self::MIN..=self.max).contains(&wanted) {
            return Ok(wanted);
        }
        Err(Invalid::argument(
            "ttl",
            format!("must be between {} and {} seconds", Self::MIN.as_secs(), self.max.as_secs()),
        ))
    }
}
