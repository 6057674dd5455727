//! The bounds of requests that an operator can turn.

use std::time::Duration;

use super::{Invalid, PageSizes};

/// How much one request may carry or ask for.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Names in an ImportFriends (the vendor's bound is 10).
    pub import_names: usize,
    /// Names in a BlockUsers.
    pub block_names: usize,
    /// Others in a CheckRelations.
    pub check_names: usize,
    /// Users in a BatchCreateUsers (the vendor's bound is 60).
    pub batch_users: usize,
    /// Page sizes of ListFriends (the vendor's: 1-50, 10).
    pub friend_pages: PageSizes,
    /// Page sizes of ListBlockedUsers (the vendor's: 1-50, 50).
    pub block_pages: PageSizes,
    /// Page sizes of ListUsers.
    pub user_pages: PageSizes,
    /// Page sizes of ListApps.
    pub app_pages: PageSizes,
    /// Page sizes of SyncFriends and SyncBlocks.
    pub sync_pages: PageSizes,
    /// Page sizes of ListFriendRequests.
    pub request_pages: PageSizes,
    /// Friend requests that a user can have pending, got and sent each.
    pub pending_requests: i32,
    /// Callback rules that an app can have.
    pub callback_rules: usize,
    /// Page sizes of ListEvents.
    pub event_pages: PageSizes,
    /// Names in the answer of ListAllBlockedUsers (the vendor's: the newest 500).
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
            sync_pages: PageSizes { max: 500, default: 100 },
            request_pages: PageSizes { max: 50, default: 10 },
            pending_requests: 500,
            callback_rules: 4,
            event_pages: PageSizes { max: 100, default: 10 },
            newest_blocks: 500,
        }
    }
}

/// How long app tokens live.
#[derive(Clone, Copy, Debug)]
pub struct TokenLifetimes {
    /// When the caller asks for none.
    pub default: Duration,
    /// The longest that a caller can ask for.
    pub max: Duration,
}

impl TokenLifetimes {
    /// The shortest life: less would be over before its first use on a slow network.
    pub const MIN: Duration = Duration::from_secs(60);

    /// The life of a token for which `wanted` was asked; zero stands for the default.
    ///
    /// # Errors
    /// [`Invalid::Argument`] when it is out of range.
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
