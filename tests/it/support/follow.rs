//! Clients that keep a copy of a list: by sync, page by page, and from the messages of a watch.

use std::collections::{BTreeMap, BTreeSet};

use befriend::proto;
use tonic::{Status, Streaming, transport::Endpoint};

use super::{Tenant, TestApp};

/// A copy of a friend list and the version it is of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FriendCopy {
    pub version: i64,
    pub friends: BTreeMap<String, proto::Friend>,
}

impl FriendCopy {
    /// Takes over changes, which must come in version order.
    pub fn apply(&mut self, full_resync: bool, changes: Vec<proto::FriendChange>) {
        if full_resync {
            self.friends.clear();
        }
        assert!(changes.is_sorted_by_key(|change| change.version), "{changes:?}");
        for change in changes {
            match change.change.expect("a change is one of two") {
                proto::friend_change::Change::Upserted(friend) => {
                    assert_eq!(friend.version, change.version);
                    self.friends.insert(friend.username.clone(), friend);
                }
                proto::friend_change::Change::Removed(name) => drop(self.friends.remove(&name)),
            }
        }
    }
}

/// A copy of a block list and the version it is of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BlockCopy {
    pub version: i64,
    pub blocked: BTreeSet<String>,
}

impl BlockCopy {
    /// Takes over changes, which must come in version order.
    pub fn apply(&mut self, full_resync: bool, changes: Vec<proto::BlockChange>) {
        if full_resync {
            self.blocked.clear();
        }
        assert!(changes.is_sorted_by_key(|change| change.version), "{changes:?}");
        for change in changes {
            match change.change.expect("a change is one of two") {
                proto::block_change::Change::Blocked(name) => drop(self.blocked.insert(name)),
                proto::block_change::Change::Unblocked(name) => drop(self.blocked.remove(&name)),
            };
        }
    }
}

/// Follows both lists of a user by SyncFriends and SyncBlocks, a page a step.
pub struct Follower {
    tenant: Tenant,
    owner: String,
    pub friends: FriendCopy,
    pub blocks: BlockCopy,
    friends_token: String,
    blocks_token: String,
    /// How often all was to be forgotten.
    pub resyncs: usize,
}

impl Follower {
    /// One who has nothing yet.
    pub fn new(tenant: &Tenant, owner: &str) -> Self {
        Self {
            tenant: tenant.clone(),
            owner: owner.to_owned(),
            friends: FriendCopy::default(),
            blocks: BlockCopy::default(),
            friends_token: String::new(),
            blocks_token: String::new(),
            resyncs: 0,
        }
    }

    /// Reads a page of changes of friends; true when that was the last for now.
    pub async fn step_friends(&mut self, page_size: i32) -> Result<bool, Status> {
        let request = proto::SyncFriendsRequest {
            owner: self.owner.clone(),
            since_version: self.friends.version,
            updated_after: None,
            page_size,
            page_token: self.friends_token.clone(),
        };
        let page = self.tenant.friends().sync_friends(request).await?.into_inner();
        assert_eq!(page.has_more, !page.next_page_token.is_empty());
        self.resyncs += usize::from(page.full_resync);
        self.friends.apply(page.full_resync, page.changes);
        self.friends_token = page.next_page_token;
        if !page.has_more {
            self.friends.version = page.next_version;
        }
        Ok(!page.has_more)
    }

    /// Reads a page of changes of blocked users; true when that was the last for now.
    pub async fn step_blocks(&mut self, page_size: i32) -> Result<bool, Status> {
        let request = proto::SyncBlocksRequest {
            owner: self.owner.clone(),
            since_version: self.blocks.version,
            page_size,
            page_token: self.blocks_token.clone(),
        };
        let page = self.tenant.blocks().sync_blocks(request).await?.into_inner();
        assert_eq!(page.has_more, !page.next_page_token.is_empty());
        self.resyncs += usize::from(page.full_resync);
        self.blocks.apply(page.full_resync, page.changes);
        self.blocks_token = page.next_page_token;
        if !page.has_more {
            self.blocks.version = page.next_version;
        }
        Ok(!page.has_more)
    }

    /// Reads all there is.
    pub async fn catch_up(&mut self, page_size: i32) -> Result<(), Status> {
        while !self.step_friends(page_size).await? {}
        while !self.step_blocks(page_size).await? {}
        Ok(())
    }

    /// The copies are exactly the server's lists, entries and all.
    pub async fn expect_exact(&self) {
        let names = self.tenant.friends_of(&self.owner).await.expect("a list");
        assert_eq!(
            self.friends.friends.keys().cloned().collect::<Vec<_>>(),
            names,
            "{}",
            self.owner
        );
        for (name, copy) in &self.friends.friends {
            assert_eq!(*copy, self.tenant.entry(&self.owner, name).await.expect("an entry"));
        }
        let mut blocked = self.tenant.blocked_by(&self.owner).await.expect("a list");
        blocked.sort();
        assert_eq!(self.blocks.blocked.iter().cloned().collect::<Vec<_>>(), blocked);
        let head = self.tenant.head(&self.owner).await.expect("a head");
        assert_eq!((self.friends.version, self.blocks.version), (head.version, head.version));
    }
}

/// The same tenant on a connection that holds next to nothing for a slow reader.
pub fn on_narrow_connection(app: &TestApp, tenant: &Tenant) -> Tenant {
    let narrow = Endpoint::from_shared(app.url.clone()).expect("a URL");
    let channel = narrow.initial_stream_window_size(2048).connect_lazy();
    Tenant { channel, ..tenant.clone() }
}

/// A copy of a friend list from a watch.
pub struct Watcher {
    pub stream: Streaming<proto::WatchFriendsResponse>,
    pub copy: FriendCopy,
}

impl Watcher {
    /// Watches from the version of a copy on.
    pub async fn from(tenant: &Tenant, owner: &str, copy: FriendCopy) -> Result<Self, Status> {
        let request =
            proto::WatchFriendsRequest { owner: owner.to_owned(), since_version: copy.version };
        let stream = tenant.friends().watch_friends(request).await?.into_inner();
        Ok(Self { stream, copy })
    }

    /// Watches from the start and reads until up to date.
    pub async fn start(tenant: &Tenant, owner: &str) -> Result<Self, Status> {
        let mut watcher = Self::from(tenant, owner, FriendCopy::default()).await?;
        while !watcher.next().await?.expect("the stream goes on").up_to_date {}
        Ok(watcher)
    }

    /// The next message, taken over; nothing when the stream ended in good order.
    pub async fn next(&mut self) -> Result<Option<proto::WatchFriendsResponse>, Status> {
        let message = self.stream.message().await?;
        if let Some(message) = &message {
            self.copy.apply(message.full_resync, message.changes.clone());
            self.copy.version = message.next_version;
        }
        Ok(message)
    }

    /// Reads until the copy holds a change of this version.
    pub async fn until(&mut self, version: i64) {
        while self.copy.version < version {
            self.next().await.expect("no error").expect("the stream goes on");
        }
    }

    /// The names in the copy.
    pub fn names(&self) -> Vec<String> {
        self.copy.friends.keys().cloned().collect()
    }
}
