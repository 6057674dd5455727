//! The operations that are measured, each as a call of the service and as one statement for pgbench.

use befriend::proto;
use clap::ValueEnum;
use prost::{Message as _, bytes::Bytes};
use serde::Serialize;
use serde_json::json;

use crate::{
    common::app::Token,
    data::{self, Dice, Size, key_of},
};

/// An operation of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// CheckRelations of one other.
    Check1,
    /// CheckRelations of a hundred others.
    Check100,
    /// CheckRelations of one other, by JSON.
    Check1Json,
    /// CheckRelations of a hundred others, by JSON.
    Check100Json,
    /// A ListFriends page of 10, with remarks.
    List10,
    /// A ListFriends page of 50, with remarks.
    List50,
    /// ListAllFriends of a long list.
    ListAll,
    /// SyncFriends from the newest version.
    Sync,
    /// AddFriend of fresh pairs.
    Add,
    /// The same, with a callback rule that takes the event.
    AddRule,
    /// SetRemark.
    Remark,
    /// The same, with a callback rule that takes the event.
    RemarkRule,
    /// BlockUsers of one.
    Block,
    /// The same, with a callback rule that takes the event.
    BlockRule,
}

/// What every caller needs to make its calls.
#[derive(Clone)]
pub struct Caller {
    pub token: Token,
    pub size: Size,
    /// The newest version of the lists that SyncFriends reads.
    pub newest: i64,
}

impl Operation {
    /// Whether it runs with a callback rule enabled.
    pub fn with_rule(self) -> bool {
        matches!(self, Self::AddRule | Self::RemarkRule | Self::BlockRule)
    }

    /// Whether the service is called with JSON.
    pub fn by_json(self) -> bool {
        matches!(self, Self::Check1Json | Self::Check100Json)
    }

    /// The name in the tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Check1 => "CheckRelations of 1",
            Self::Check100 => "CheckRelations of 100",
            Self::Check1Json => "CheckRelations of 1, JSON",
            Self::Check100Json => "CheckRelations of 100, JSON",
            Self::List10 => "ListFriends of 10",
            Self::List50 => "ListFriends of 50",
            Self::ListAll => "ListAllFriends",
            Self::Sync => "SyncFriends, no change",
            Self::Add => "AddFriend",
            Self::AddRule => "AddFriend, a rule",
            Self::Remark => "SetRemark",
            Self::RemarkRule => "SetRemark, a rule",
            Self::Block => "BlockUsers of 1",
            Self::BlockRule => "BlockUsers of 1, a rule",
        }
    }

    /// A call with random users: its path and its message.
    pub fn request(self, caller: &Caller, dice: &mut Dice) -> (&'static str, Bytes) {
        let size = caller.size;
        let (path, message) = match self {
            Self::Check1 | Self::Check100 | Self::Check1Json | Self::Check100Json => {
                let (username, other) = data::friends(dice, size);
                let one = matches!(self, Self::Check1 | Self::Check1Json);
                let others = if one { vec![other] } else { others(size) };
                let message = if self.by_json() {
                    json!({ "username": username, "others": others }).to_string().into_bytes()
                } else {
                    proto::CheckRelationsRequest { username, others }.encode_to_vec()
                };
                ("/befriend.v1.RelationService/CheckRelations", message)
            }
            Self::List10 | Self::List50 => {
                let message = proto::ListFriendsRequest {
                    owner: format!("user{}", dice.below(size.users)),
                    page_size: if self == Self::List10 { 10 } else { 50 },
                    include_remark: true,
                    ..Default::default()
                };
                ("/befriend.v1.FriendService/ListFriends", message.encode_to_vec())
            }
            Self::ListAll => {
                let owner = format!("long{}", dice.below(size.long_lists));
                let message = proto::ListAllFriendsRequest { owner };
                ("/befriend.v1.FriendService/ListAllFriends", message.encode_to_vec())
            }
            Self::Sync => {
                let message = proto::SyncFriendsRequest {
                    owner: format!("crowd{}", dice.below(size.long_list)),
                    since_version: caller.newest,
                    ..Default::default()
                };
                ("/befriend.v1.FriendService/SyncFriends", message.encode_to_vec())
            }
            Self::Add | Self::AddRule => {
                let (owner, friend) = data::strangers(dice, size);
                let message = proto::AddFriendRequest { owner, friend, ..Default::default() };
                ("/befriend.v1.FriendService/AddFriend", message.encode_to_vec())
            }
            Self::Remark | Self::RemarkRule => {
                let (owner, friend) = data::friends(dice, size);
                let remark = format!("remark {}", dice.below(i64::MAX));
                let message = proto::SetRemarkRequest { owner, friend, remark };
                ("/befriend.v1.FriendService/SetRemark", message.encode_to_vec())
            }
            Self::Block | Self::BlockRule => {
                let (owner, other) = data::strangers(dice, size);
                let message = proto::BlockUsersRequest { owner, usernames: vec![other] };
                ("/befriend.v1.BlockService/BlockUsers", message.encode_to_vec())
            }
        };
        (path, message.into())
    }

    /// The operation as one prepared statement in a pgbench script. It reads or changes the same rows as
    /// the service, without the reads that the service makes before a change.
    pub fn script(self, app_id: &str, caller: &Caller) -> String {
        let size = caller.size;
        let users = size.users;
        let owner = key_of(app_id, "'user' || :owner::int");
        let draw = format!("\\set owner random(0, {users} - 1)\n");
        let (near, far) = (
            format!("\\set other (:owner + random(1, {} / 2)) % {users}\n", size.friends),
            format!(
                "\\set other (:owner + random({top}, {users} - {top} - 1)) % {users}\n",
                top = crate::PAGE_TOP
            ),
        );
        let message = "\\set message random(1, 9223372036854775806)\n";
        match self {
            Self::Check1 | Self::Check1Json => {
                format!("{draw}{near}{}", check(&owner, "array['user' || :other::int]"))
            }
            Self::Check100 | Self::Check100Json => {
                format!("{draw}{}", check(&owner, ":others::text[]"))
            }
            Self::List10 => format!("{draw}{}", page(&owner, 11)),
            Self::List50 => format!("{draw}{}", page(&owner, 51)),
            Self::ListAll => {
                let owner = key_of(app_id, "'long' || :owner::int");
                format!("\\set owner random(0, {} - 1)\n{}", size.long_lists, all(&owner))
            }
            Self::Sync => {
                let owner = key_of(app_id, "'crowd' || :owner::int");
                let draw = format!("\\set owner random(0, {} - 1)\n", size.long_list);
                format!("{draw}{}", changes(&owner, caller.newest))
            }
            Self::Add | Self::AddRule => {
                let other = key_of(app_id, "'user' || :other::int");
                let names = ("'user' || :owner::int", "'user' || :other::int");
                let event = outbox(app_id, "friend.added", "''", self.with_rule());
                format!("{draw}{far}{message}{}", add(&owner, &other, names, &event))
            }
            Self::Remark | Self::RemarkRule => {
                let event =
                    outbox(app_id, "friend.remark_set", "'remark ' || :message", self.with_rule());
                format!("{draw}{near}{message}{}", remark(&owner, &event))
            }
            Self::Block | Self::BlockRule => {
                let other = key_of(app_id, "'user' || :other::int");
                let event = outbox(app_id, "block.added", "''", self.with_rule());
                format!("{draw}{far}{message}{}", block(&owner, &other, &event))
            }
        }
    }
}

/// A hundred users, spread over the ring. They are the same in every call, because pgbench can't draw
/// random names for an array.
pub fn others(size: Size) -> Vec<String> {
    (0..100).map(|n| format!("user{}", n * (size.users / 100))).collect()
}

fn check(owner: &str, others: &str) -> String {
    format!(
        "select coalesce((select not deleted from friends
                          where owner_key = k.key and friend_name = other.name), false),
                coalesce((select not deleted from blocks
                          where owner_key = k.key and blocked_name = other.name), false),
                coalesce((select true from blocked_by
                          where owner_key = k.key and blocker_name = other.name), false)
         from (select {owner} as key offset 0) k
         join users u on u.owner_key = k.key and u.deleted_at is null
         cross join unnest({others}) with ordinality as other (name, position)
         order by other.position;\n"
    )
}

fn page(owner: &str, rows: i64) -> String {
    format!(
        "select f.friend_name, f.remark
         from users u
         left join lateral (
             select friend_name, remark from friends
             where owner_key = u.owner_key and friend_name > '' and not deleted
             order by friend_name limit {rows}
         ) f on true
         where u.owner_key = {owner} and u.deleted_at is null
         order by f.friend_name;\n"
    )
}

fn all(owner: &str) -> String {
    format!(
        "select array(select friend_name from friends
                      where owner_key = u.owner_key and not deleted order by friend_name)
         from users u
         where u.owner_key = {owner} and u.deleted_at is null;\n"
    )
}

fn changes(owner: &str, since: i64) -> String {
    format!(
        "select u.version, u.friends_purged_to, f.friend_name, f.version, f.deleted, f.remark,
                f.extension, f.server_extension, f.created_at, f.updated_at
         from users u
         left join lateral (
             select friend_name, version, deleted, remark, extension, server_extension, created_at,
                    updated_at
             from friends
             where owner_key = u.owner_key and version > {since} and updated_at > 'epoch'
             order by version limit 101
         ) f on true
         where u.owner_key = {owner} and u.deleted_at is null
         order by f.version;\n"
    )
}

/// A statement that writes the event of a change. It reads `head`, the changed row of users with the
/// columns owner_key, version and username, and pgbench's variable `:other`, the friend's number.
fn outbox(app_id: &str, event: &str, detail: &str, with_rule: bool) -> String {
    if !with_rule {
        return "select 1".to_owned();
    }
    format!(
        "insert into outbox (owner_key, rule_id, seq, partition, app_id, message_id, type, owner_name,
                             friend_name, detail, next_attempt_at, created_at)
         select head.owner_key, r.rule_id, head.version, get_byte(uuid_send(head.owner_key), 0),
                r.app_id, :message, '{event}', head.username, 'user' || :other::int, {detail},
                now(), now()
         from head
         join callback_rules r
             on r.app_id = '{app_id}' and r.enabled and '{event}' = any(r.event_types)"
    )
}

fn add(owner: &str, other: &str, names: (&str, &str), event: &str) -> String {
    let (own, others) = names;
    format!(
        "with heads as (
             update users set friend_count = friend_count + 1, version = version + 1
             where owner_key = any(array[{owner}, {other}]) and friend_count < 10000
             returning owner_key, version, username
         ), entries as (
             insert into friends as kept (owner_key, friend_name, version, created_at, updated_at)
             select owner_key, case when username = {own} then {others} else {own} end, version,
                    now(), now()
             from heads
             on conflict (owner_key, friend_name) do update
             set version = excluded.version, deleted = false, updated_at = excluded.updated_at
             where kept.deleted
         ), head as (
             select owner_key, version, username from heads where username = {own}
         )
         {event};\n"
    )
}

fn remark(owner: &str, event: &str) -> String {
    format!(
        "with head as (
             update users set version = version + 1 where owner_key = {owner}
             returning owner_key, version, username
         ), entry as (
             update friends f
             set remark = 'remark ' || :message, version = head.version, updated_at = now()
             from head
             where f.owner_key = head.owner_key and f.friend_name = 'user' || :other::int
               and not f.deleted
         )
         {event};\n"
    )
}

fn block(owner: &str, other: &str, event: &str) -> String {
    format!(
        "with head as (
             update users set block_count = block_count + 1, version = version + 1
             where owner_key = {owner} and block_count < 10000
             returning owner_key, version, username
         ), entry as (
             insert into blocks as kept (owner_key, blocked_name, version, created_at, updated_at)
             select owner_key, 'user' || :other::int, version, now(), now() from head
             on conflict (owner_key, blocked_name) do update
             set version = excluded.version, deleted = false where kept.deleted
         ), other as (
             insert into blocked_by (owner_key, blocker_name)
             select {other}, username from head
             on conflict (owner_key, blocker_name) do nothing
         )
         {event};\n"
    )
}
