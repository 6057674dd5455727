//! The data set: users in a ring, each a friend of the nearest on both sides, and a few users with long
//! lists. It is loaded as an operator would load it: from files, by the service's own import.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    process::Command,
};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgPool};

use crate::{APP, PAGE_TOP, common::app::Failure};

/// The size of the data set.
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

/// Whether the database holds the data set already.
///
/// # Errors
///
/// It holds one of another size: the two would mix.
pub async fn is_there(pool: &PgPool, size: Size) -> Result<bool, Failure> {
    let marker: Option<(i64, i64, i64, i64)> =
        sqlx::query_as("select users, friends, long_lists, long_list from bench_size")
            .fetch_optional(pool)
            .await
            .unwrap_or_default();
    let wanted = (size.users, size.friends, size.long_lists, size.long_list);
    match marker {
        Some(found) if found != wanted => {
            Err(format!("the database holds a data set of another size: {found:?}").into())
        }
        found => Ok(found.is_some()),
    }
}

/// Writes the data set to files, and imports them into the app.
pub async fn load(
    pool: &PgPool,
    befriend: &Path,
    database: &str,
    output: &Path,
    size: Size,
) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(output)?;
    write_files(folder.path(), size)?;
    // Its standard error shows the progress and each line that was not imported.
    let imported = Command::new(befriend)
        .args(["import", "files", APP])
        .arg(folder.path())
        .env("DATABASE_URL", database)
        .status()?;
    if !imported.success() {
        return Err("befriend did not import all of the data set".into());
    }
    let run = async |sql: &str| sqlx::query(AssertSqlSafe(sql.to_owned())).execute(pool).await;
    let bar = bar(2, "vacuum")?;
    for table in ["users", "friends"] {
        run(&format!("vacuum (analyze) {table}")).await?;
        bar.inc(1);
    }
    run(&format!(
        "create table bench_size as
         select {}::bigint as users, {}::bigint as friends, {}::bigint as long_lists,
                {}::bigint as long_list",
        size.users, size.friends, size.long_lists, size.long_list
    ))
    .await?;
    run("checkpoint").await.ok();
    bar.finish_and_clear();
    Ok(())
}

/// In the ring both sides of a friendship have a remark, so each side has a line. The long lists have no
/// remarks: one line makes both entries.
fn write_files(folder: &Path, size: Size) -> Result<(), Failure> {
    let create = |name: &str| Ok::<_, Failure>(BufWriter::new(File::create(folder.join(name))?));
    let lines = size.users * (1 + size.friends) + size.long_lists * (1 + size.long_list);
    let bar = bar((lines + size.long_list).unsigned_abs(), "writing files")?;
    let mut users = create("users.csv")?;
    writeln!(users, "username")?;
    for (name, count) in
        [("user", size.users), ("long", size.long_lists), ("crowd", size.long_list)]
    {
        for n in 0..count {
            writeln!(users, "{name}{n}")?;
        }
        bar.inc(count.unsigned_abs());
    }
    users.flush()?;
    let mut ring = create("friends-ring.csv")?;
    writeln!(ring, "owner,friend,remark")?;
    for n in 0..size.users {
        for distance in 1..=size.friends / 2 {
            for distance in [distance, -distance] {
                let friend = (n + distance).rem_euclid(size.users);
                writeln!(ring, "user{n},user{friend},remark {distance}")?;
            }
        }
        bar.inc(size.friends.unsigned_abs());
    }
    ring.flush()?;
    let mut long = create("friends-long.csv")?;
    writeln!(long, "owner,friend")?;
    for n in 0..size.long_lists {
        for other in 0..size.long_list {
            writeln!(long, "long{n},crowd{other}")?;
        }
        bar.inc(size.long_list.unsigned_abs());
    }
    long.flush()?;
    bar.finish_and_clear();
    Ok(())
}

fn bar(steps: u64, what: &'static str) -> Result<ProgressBar, Failure> {
    let shape = "loading {msg:14} {wide_bar} {pos}/{len} {elapsed}";
    let style = ProgressStyle::with_template(shape)?;
    Ok(ProgressBar::new(steps).with_style(style).with_message(what))
}

/// The version of the lists of the crowd, the friends of the users with long lists. All have the same:
/// an import gives each entry a version, each of the crowd has the same number of entries, and no
/// operation that is measured changes them.
pub async fn newest_of_crowd(pool: &PgPool, app_id: &str, size: Size) -> Result<i64, Failure> {
    let (lists, oldest, newest): (i64, Option<i64>, Option<i64>) = sqlx::query_as(
        "select count(*), min(version), max(version)
         from users
         where app_id = $1::uuid and username like 'crowd%' and deleted_at is null",
    )
    .bind(app_id)
    .fetch_one(pool)
    .await?;
    match newest {
        Some(version) if lists == size.long_list && oldest == newest => Ok(version),
        _ => {
            Err(format!("{lists} lists of the crowd have versions {oldest:?} to {newest:?}").into())
        }
    }
}

/// The owner key of a user as an SQL expression. pgbench's variables are numbers only, so its statements
/// compute the key; that takes Postgres a microsecond.
pub fn key_of(app_id: &str, name: &str) -> String {
    let app = app_id.replace('-', "");
    format!(
        "encode(substring(sha256('\\x{app}00'::bytea || ({name})::bytea) from 1 for 16), 'hex')::uuid"
    )
}

/// Random numbers from a small generator (xorshift). Each caller has one, with its own seed.
pub struct Dice(u64);

impl Dice {
    /// A generator; the seed may be any number.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// A number from 0 to `end` - 1.
    pub fn below(&mut self, end: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 1).cast_signed().rem_euclid(end.max(1))
    }
}

/// A user of the ring and one of the user's friends.
pub fn friends(dice: &mut Dice, size: Size) -> (String, String) {
    let owner = dice.below(size.users);
    let distance = 1 + dice.below((size.friends / 2).max(1));
    (format!("user{owner}"), format!("user{}", (owner + distance) % size.users))
}

/// Two users of the ring who are very likely not friends yet.
pub fn strangers(dice: &mut Dice, size: Size) -> (String, String) {
    let owner = dice.below(size.users);
    let distance = PAGE_TOP + dice.below(size.users - 2 * PAGE_TOP);
    (format!("user{owner}"), format!("user{}", (owner + distance) % size.users))
}
