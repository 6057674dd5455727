//! How staged records differ from the tables: one statement for each kind of difference.

use futures_util::{StreamExt as _, stream::BoxStream};
use sqlx::{PgConnection, query_as};

use super::statements;
use crate::domain::{Difference, Error, Username};

statements! {
    USERS = "\
-- comparisons.users
select s.username, u.owner_key is null, u.nickname <> s.nickname, u.activated <> s.activated,
       u.uuid <> s.uuid
from staged_users s
left join users u on u.owner_key = s.owner_key and u.deleted_at is null
where u.owner_key is null
   or u.nickname <> s.nickname
   or u.activated <> s.activated
   or u.uuid <> s.uuid
order by s.place";
    FRIENDS = "\
-- comparisons.friends
select s.owner_name, s.friend_name, f.owner_key is null, f.remark <> s.remark,
       f.extension <> s.extension, f.server_extension <> s.server_extension
from staged_friends s
left join friends f on f.owner_key = s.owner_key and f.friend_name = s.friend_name
                   and not f.deleted
where f.owner_key is null
   or f.remark <> s.remark
   or f.extension <> s.extension
   or f.server_extension <> s.server_extension
order by s.place";
    ONE_SIDED = "\
-- comparisons.one_sided
select s.owner_name, s.friend_name
from staged_friends s
where not exists (
    select
    from staged_friends r
    where r.owner_key = s.friend_key
      and r.friend_key = s.owner_key
)
  and exists (
    select
    from staged_users u
    where u.owner_key = s.friend_key
)
order by s.place";
    EXTRA_FRIENDS = "\
-- comparisons.extra_friends
select s.username, f.friend_name
from (
    select distinct owner_key, username
    from staged_users
) s
join friends f on f.owner_key = s.owner_key and not f.deleted
where not exists (
    select
    from staged_friends r
    where r.owner_key = f.owner_key
      and r.friend_name = f.friend_name
)
  and not exists (
    select
    from staged_friends r
    where r.friend_key = f.owner_key
      and r.owner_name = f.friend_name
)
order by s.username, f.friend_name";
    MISSING_BLOCKS = "\
-- comparisons.missing_blocks
select s.owner_name, s.blocked_name
from staged_blocks s
left join blocks b on b.owner_key = s.owner_key and b.blocked_name = s.blocked_name
                  and not b.deleted
where b.owner_key is null
order by s.place";
    EXTRA_BLOCKS = "\
-- comparisons.extra_blocks
select s.username, b.blocked_name
from (
    select distinct owner_key, username
    from staged_users
) s
join blocks b on b.owner_key = s.owner_key and not b.deleted
where not exists (
    select
    from staged_blocks r
    where r.owner_key = b.owner_key
      and r.blocked_name = b.blocked_name
)
order by s.username, b.version";
    // Compares the positions of the blocks that are on both sides. A missing or an additional block is
    // a difference of another kind.
    BLOCK_ORDERS = "\
-- comparisons.block_orders
select owner_name
from (
    select s.owner_name, s.blocked_name,
           row_number() over (partition by s.owner_key order by min(s.place)) as wanted,
           row_number() over (partition by s.owner_key order by b.version) as found
    from staged_blocks s
    join blocks b on b.owner_key = s.owner_key and b.blocked_name = s.blocked_name
                 and not b.deleted
    group by s.owner_key, s.owner_name, s.blocked_name, b.version
) numbered
where wanted <> found
group by owner_name
order by owner_name";
}

/// All kinds of differences, in the order in which they are reported.
pub(crate) const COMPARISONS: [Comparison; 7] = [
    Comparison::Users,
    Comparison::Friends,
    Comparison::OneSided,
    Comparison::ExtraFriends,
    Comparison::MissingBlocks,
    Comparison::ExtraBlocks,
    Comparison::BlockOrders,
];

/// A kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Users,
    Friends,
    OneSided,
    ExtraFriends,
    MissingBlocks,
    ExtraBlocks,
    BlockOrders,
}

/// The differences of one kind. One entry may have several.
pub(crate) fn compare(
    db: &mut PgConnection,
    comparison: Comparison,
) -> BoxStream<'_, Result<Vec<Difference>, Error>> {
    let pairs = |sql: &'static str, difference: fn(Username, Username) -> Difference| {
        let named = move |(one, other): (String, String)| {
            vec![difference(Username::from_store(one), Username::from_store(other))]
        };
        move |db| query_as(sql).fetch(db).map(move |row| Ok(named(row?))).boxed()
    };
    match comparison {
        Comparison::Users => query_as::<_, ComparedUserRow>(USERS)
            .fetch(db)
            .map(|row| Ok(compared_user(row?)))
            .boxed(),
        Comparison::Friends => {
            query_as::<_, ComparedRow>(FRIENDS).fetch(db).map(|row| Ok(compared(row?))).boxed()
        }
        Comparison::OneSided => {
            pairs(ONE_SIDED, |owner, friend| Difference::OneSided { owner, friend })(db)
        }
        Comparison::ExtraFriends => {
            pairs(EXTRA_FRIENDS, |owner, friend| Difference::ExtraFriend { owner, friend })(db)
        }
        Comparison::MissingBlocks => {
            pairs(MISSING_BLOCKS, |owner, blocked| Difference::MissingBlock { owner, blocked })(db)
        }
        Comparison::ExtraBlocks => {
            pairs(EXTRA_BLOCKS, |owner, blocked| Difference::ExtraBlock { owner, blocked })(db)
        }
        Comparison::BlockOrders => query_as::<_, (String,)>(BLOCK_ORDERS)
            .fetch(db)
            .map(|row| Ok(vec![Difference::OtherBlockOrder(Username::from_store(row?.0))]))
            .boxed(),
    }
}

/// Name, whether the user is missing, and which fields differ: `None` where there is nothing to compare.
type ComparedUserRow = (String, bool, Option<bool>, Option<bool>, Option<bool>);

fn compared_user(
    (username, missing, nickname, activated, uuid): ComparedUserRow,
) -> Vec<Difference> {
    let username = Username::from_store(username);
    if missing {
        return vec![Difference::MissingUser(username)];
    }
    [("nickname", nickname), ("activated", activated), ("uuid", uuid)]
        .into_iter()
        .filter(|(_, differs)| *differs == Some(true))
        .map(|(field, _)| Difference::OtherUser { username: username.clone(), field })
        .collect()
}

/// Owner, friend, whether the entry is missing, and which texts differ: `None` where there is nothing to
/// compare.
type ComparedRow = (String, String, bool, Option<bool>, Option<bool>, Option<bool>);

fn compared((owner, friend, missing, remark, extension, server): ComparedRow) -> Vec<Difference> {
    let (owner, friend) = (Username::from_store(owner), Username::from_store(friend));
    if missing {
        return vec![Difference::MissingFriend { owner, friend }];
    }
    [("remark", remark), ("extension", extension), ("server_extension", server)]
        .into_iter()
        .filter(|(_, differs)| *differs == Some(true))
        .map(|(field, _)| Difference::OtherText {
            owner: owner.clone(),
            friend: friend.clone(),
            field,
        })
        .collect()
}
