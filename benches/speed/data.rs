//! The data set: users in a ring, each a friend of their nearest on both sides, and a few with long
//! lists. Written by set-based statements in key order, past the service.

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgPool};

use crate::{Failure, PAGE_TOP};

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::Args)]
pub struct Size {
    /// Users with a list of average length.
    #[arg(long, default_value_t = 200_000)]
    pub users: i64,
    /// How many friends each of them has; even.
    #[arg(long, default_value_t = 50)]
    pub friends: i64,
    /// Users with a long list.
    #[arg(long, default_value_t = 20)]
    pub long_lists: i64,
    /// How many friends each of those has.
    #[arg(long, default_value_t = 3000)]
    pub long_list: i64,
}

/// How many users a statement writes friends of.
const CHUNK: i64 = 2000;

/// Whether the database holds a set of this size already.
pub async fn is_there(pool: &PgPool, size: Size) -> Result<bool, Failure> {
    let counted: Option<(i64, i64, i64)> =
        sqlx::query_as("select users, friends, long_list from bench_size where long_lists = $1")
            .bind(size.long_lists)
            .fetch_optional(pool)
            .await
            .unwrap_or_default();
    Ok(counted == Some((size.users, size.friends, size.long_list)))
}

/// Writes the set under an app. Constraints that cost much while everything is new are dropped and
/// made again, which checks every row.
pub async fn load(pool: &PgPool, app_id: &str, size: Size) -> Result<(), Failure> {
    let run = async |sql: String| sqlx::query(AssertSqlSafe(sql)).execute(pool).await;
    for sql in [
        "drop index friends_by_version",
        "alter table friends drop constraint \"a friend list belongs to a user\"",
        "drop table if exists bench_numbers, bench_size",
    ] {
        run(sql.to_owned()).await?;
    }
    let all = size.users + size.long_lists + size.long_list;
    let bar = ProgressBar::new((all / CHUNK + 1).unsigned_abs() + 3).with_style(
        ProgressStyle::with_template("loading {msg:12} {wide_bar} {pos}/{len} {elapsed}")?,
    );
    bar.set_message("users");
    // Numbered: the ring, then those with long lists, then those who stand in them.
    run(format!(
        "create table bench_numbers as
         select n, name, {key} as owner_key
         from (
             select n, case when n < {users} then 'user' || n
                            when n < {users} + {long_lists} then 'long' || n - {users}
                            else 'crowd' || n - {users} - {long_lists} end as name
             from generate_series(0, {all} - 1) n
         ) named
         order by 3",
        key = key_of(app_id, "name"),
        users = size.users,
        long_lists = size.long_lists,
    ))
    .await?;
    run(format!(
        "insert into users (owner_key, app_id, username, uuid, nickname, activated, created_at,
                            modified_at, friend_count, version)
         select owner_key, '{app_id}', name, gen_random_uuid(), '', true, now(), now(), count, count
         from (
             select owner_key, name,
                    case when n < {users} then {friends}
                         when n < {users} + {long_lists} then {long_list}
                         else {long_lists} end as count
             from bench_numbers
         ) counted
         order by owner_key",
        users = size.users,
        friends = size.friends,
        long_lists = size.long_lists,
        long_list = size.long_list,
    ))
    .await?;
    bar.inc(1);
    bar.set_message("friends");
    for chunk in 0..all / CHUNK + 1 {
        run(format!(
            "insert into friends (owner_key, friend_name, version, remark, created_at, updated_at)
             select owner_key, friend_name, row_number() over (partition by owner_key), remark,
                    now(), now()
             from (
                 select owner_key, 'user' || (n + distance + {users}) % {users} as friend_name,
                        'remark ' || distance as remark
                 from some
                 cross join lateral (
                     select d * side as distance
                     from generate_series(1, {friends} / 2) d, (values (1), (-1)) s (side)
                 ) distances
                 where n < {users}
                 union all
                 select owner_key, 'crowd' || c, ''
                 from some
                 cross join generate_series(0, {long_list} - 1) c
                 where n >= {users} and n < {users} + {long_lists}
                 union all
                 select owner_key, 'long' || l, ''
                 from some
                 cross join generate_series(0, {long_lists} - 1) l
                 where n >= {users} + {long_lists}
             ) entries
             order by owner_key, friend_name collate \"C\"",
            users = size.users,
            friends = size.friends,
            long_lists = size.long_lists,
            long_list = size.long_list,
        )
        .replace(
            "from some",
            &format!(
                "from (select owner_key, n from bench_numbers order by owner_key
                       offset {} limit {CHUNK}) chunk",
                chunk * CHUNK
            ),
        ))
        .await?;
        bar.inc(1);
    }
    bar.set_message("constraints");
    run("create unique index friends_by_version on friends (owner_key, version)".to_owned())
        .await?;
    run("alter table friends add constraint \"a friend list belongs to a user\"
         foreign key (owner_key) references users (owner_key)"
        .to_owned())
    .await?;
    bar.inc(1);
    bar.set_message("vacuum");
    run("vacuum (analyze, freeze) users".to_owned()).await?;
    run("vacuum (analyze, freeze) friends".to_owned()).await?;
    run(format!(
        "create table bench_size as
         select {}::bigint as users, {}::bigint as friends, {}::bigint as long_list,
                {}::bigint as long_lists",
        size.users, size.friends, size.long_list, size.long_lists
    ))
    .await?;
    run("drop table bench_numbers".to_owned()).await?;
    run("checkpoint".to_owned()).await.ok();
    bar.finish_and_clear();
    Ok(())
}

/// The key of a user as SQL: the documented hash. pgbench knows numbers only, so its statements begin
/// with this; it takes Postgres a microsecond.
pub fn key_of(app_id: &str, name: &str) -> String {
    let app = app_id.replace('-', "");
    format!(
        "encode(substring(sha256('\\x{app}00'::bytea || ({name})::bytea) from 1 for 16), 'hex')::uuid"
    )
}

/// Numbers of a small generator (xorshift): every caller has their own, from their own seed.
pub struct Dice(u64);

impl Dice {
    /// A generator; the seed is anything.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Between 0 and `end`, without it.
    pub fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 1).cast_signed().rem_euclid(end.max(1))
    }
}

/// A user of the ring and one of their friends.
pub fn friends(dice: &mut Dice, size: Size) -> (String, String) {
    let owner = dice.below(size.users);
    let distance = 1 + dice.below((size.friends / 2).max(1));
    (format!("user{owner}"), format!("user{}", (owner + distance) % size.users))
}

/// Two users of the ring, who are no friends yet in all likelihood.
pub fn strangers(dice: &mut Dice, size: Size) -> (String, String) {
    let owner = dice.below(size.users);
    let distance = PAGE_TOP + dice.below(size.users - 2 * PAGE_TOP);
    (format!("user{owner}"), format!("user{}", (owner + distance) % size.users))
}
