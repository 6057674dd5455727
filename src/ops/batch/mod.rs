//! Calls of one kind that are under way at once share a statement or a transaction.
//!
//! Operations submit their items here, and nothing here calls an operation. A batch of one item runs
//! the same code as a batch of many. Each file is one kind of item; [`batcher`] collects items and runs
//! the batches.

pub(super) mod add_friend;
pub(super) mod batcher;
pub(super) mod block_users;
pub(super) mod check_relation;
pub(super) mod list_friends;
pub(super) mod sync_list;
pub(super) mod update_friend;

use std::sync::Arc;

use self::{
    add_friend::AddFriend,
    batcher::Batcher,
    block_users::BlockUsers,
    check_relation::CheckRelation,
    list_friends::ListFriends,
    sync_list::{Blocks, Friends, SyncList},
    update_friend::UpdateFriend,
};

/// How many items a batch has at the most.
const MAX_ITEMS: usize = 64;

/// The batchers of an instance, one for each kind of item.
#[derive(Debug)]
pub struct Batchers {
    pub(super) add_friend: Arc<Batcher<AddFriend>>,
    pub(super) update_friend: Arc<Batcher<UpdateFriend>>,
    pub(super) block_users: Arc<Batcher<BlockUsers>>,
    pub(super) check_relation: Arc<Batcher<CheckRelation>>,
    pub(super) list_friends: Arc<Batcher<ListFriends>>,
    pub(super) friend_changes: Arc<Batcher<SyncList<Friends>>>,
    pub(super) block_changes: Arc<Batcher<SyncList<Blocks>>>,
}

impl Default for Batchers {
    fn default() -> Self {
        let batches = max_batches();
        Self {
            add_friend: Batcher::new("add_friend", batches, MAX_ITEMS),
            update_friend: Batcher::new("update_friend", batches, MAX_ITEMS),
            block_users: Batcher::new("block_users", batches, MAX_ITEMS),
            check_relation: Batcher::new("check_relation", batches, MAX_ITEMS),
            list_friends: Batcher::new("list_friends", batches, MAX_ITEMS),
            friend_changes: Batcher::new("friend_changes", batches, MAX_ITEMS),
            block_changes: Batcher::new("block_changes", batches, MAX_ITEMS),
        }
    }
}

/// How many batches of a kind run at once: one for each core keeps all cores busy with batches as large
/// as they can be. At least two, so that one works while another waits for the disk; at most eight, so
/// that one kind of call does not take all database connections.
fn max_batches() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}
