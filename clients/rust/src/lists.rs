//! Copies of lists that are kept up to date.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    Client,
    error::Error,
    proto::{
        BlockChange, ErrorReason, Friend, FriendChange, SyncBlocksRequest, SyncFriendsRequest,
        WatchBlocksResponse, WatchFriendsResponse, block_change, friend_change,
    },
};

/// The largest page of a sync.
const PAGE: i32 = 500;

/// A copy of a user's friend list. To keep it beyond the process, store `version` and `friends` in one write.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FriendList {
    /// The version up to which the copy goes; 0 for a copy that is new.
    pub version: i64,
    /// The entries by username.
    pub friends: BTreeMap<String, Friend>,
}

/// A copy of a user's block list. To keep it beyond the process, store `version` and `usernames` in one write.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlockList {
    /// The version up to which the copy goes; 0 for a copy that is new.
    pub version: i64,
    /// The users who are blocked.
    pub usernames: BTreeSet<String>,
}

impl FriendList {
    /// Applies a message of [`Client::watch_friends`].
    pub fn apply(&mut self, message: WatchFriendsResponse) {
        self.change(message.full_resync, message.changes);
        self.version = message.next_version;
    }

    fn change(&mut self, full_resync: bool, changes: Vec<FriendChange>) {
        if full_resync {
            self.friends.clear();
        }
        for change in changes {
            match change.change {
                Some(friend_change::Change::Upserted(friend)) => {
                    self.friends.insert(friend.username.clone(), friend);
                }
                Some(friend_change::Change::Removed(username)) => {
                    self.friends.remove(&username);
                }
                None => {}
            }
        }
    }
}

impl BlockList {
    /// Applies a message of [`Client::watch_blocks`].
    pub fn apply(&mut self, message: WatchBlocksResponse) {
        self.change(message.full_resync, message.changes);
        self.version = message.next_version;
    }

    fn change(&mut self, full_resync: bool, changes: Vec<BlockChange>) {
        if full_resync {
            self.usernames.clear();
        }
        for change in changes {
            match change.change {
                Some(block_change::Change::Blocked(username)) => {
                    self.usernames.insert(username);
                }
                Some(block_change::Change::Unblocked(username)) => {
                    self.usernames.remove(&username);
                }
                None => {}
            }
        }
    }
}

macro_rules! sync {
    ($sync:ident, $list:ty, $service:ident, $request:ident) => {
        /// Brings a copy up to date. If the call fails, the copy is as it was. A copy that belongs to another list
        /// (VERSION_AHEAD, as after the service was restored from a backup) is made anew.
        ///
        /// # Errors
        /// USER_NOT_FOUND, and what every call may fail with.
        pub async fn $sync(&self, owner: &str, list: &mut $list) -> Result<(), Error> {
            let mut copy = list.clone();
            loop {
                let mut request = $request {
                    owner: owner.to_owned(),
                    since_version: copy.version,
                    page_size: PAGE,
                    ..$request::default()
                };
                let walked = loop {
                    match self.$service().$sync(request.clone()).await {
                        Ok(page) => {
                            let page = page.into_inner();
                            copy.change(page.full_resync, page.changes);
                            if !page.has_more {
                                copy.version = page.next_version;
                                break Ok(());
                            }
                            request.page_token = page.next_page_token;
                        }
                        Err(status) => break Err(Error::from(status)),
                    }
                };
                match walked {
                    Err(error) if is_ahead(&error) && copy.version != 0 => {
                        copy = Default::default()
                    }
                    Err(error) => return Err(error),
                    Ok(()) => break,
                }
            }
            *list = copy;
            Ok(())
        }
    };
}

impl Client {
    sync!(sync_friends, FriendList, friends, SyncFriendsRequest);
    sync!(sync_blocks, BlockList, blocks, SyncBlocksRequest);
}

/// Whether the version that a client has is higher than the list's.
pub(crate) fn is_ahead(error: &Error) -> bool {
    error.reason() == Some(ErrorReason::VersionAhead)
}
