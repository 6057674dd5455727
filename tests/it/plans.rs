//! How Postgres runs the hot statements on full tables: by which index, and over how many rows.

use befriend::store;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::postgres;

/// Fills the tables: 20,000 users; friend lists of 40 for 2,000 of them; and user 1, who has 2,000
/// friends, 1,000 former friends, 500 blocked users and 500 who block them.
const FILLING: &[&str] = &[
    // What was committed asynchronously is not yet visible to all for vacuum.
    "set synchronous_commit = on",
    "insert into apps (app_id, app_key, client_id, client_secret_hash, friend_limit, block_limit,
                       requests_per_second, created_at, modified_at)
     select md5('app' || n)::uuid, 'org#app' || n, 'client' || n, 'hash', 3000, 500, 100, now(), now()
     from generate_series(1, 50) n",
    "insert into tokens (token_hash, app_id, created_at, expires_at)
     select sha256(convert_to('token' || n, 'UTF8')), md5('app' || n % 50 + 1)::uuid, now(),
            now() + interval '1 day'
     from generate_series(1, 20000) n",
    "insert into users (owner_key, app_id, username, uuid, nickname, activated, created_at,
                        modified_at)
     select md5('user' || n)::uuid, md5('app' || n % 50 + 1)::uuid, 'user' || n, md5('u' || n)::uuid,
            '', true, now(), now()
     from generate_series(1, 20000) n",
    "insert into friends (owner_key, friend_name, version, created_at, updated_at)
     select md5('user' || owner)::uuid, 'user' || owner + n, n, now(), now()
     from generate_series(2, 2001) owner, generate_series(1, 40) n",
    "insert into friends (owner_key, friend_name, version, deleted, created_at, updated_at)
     select md5('user1')::uuid, 'user' || n, n, n % 3 = 0, now(), now()
     from generate_series(2, 3001) n",
    "insert into blocks (owner_key, blocked_name, version, deleted, created_at)
     select md5('user' || owner)::uuid, 'user' || owner + n, 100000 + n, n % 3 = 0, now()
     from generate_series(2, 2001) owner, generate_series(1, 10) n",
    "insert into blocks (owner_key, blocked_name, version, created_at)
     select md5('user1')::uuid, 'user' || n, 100000 + n, now()
     from generate_series(2, 501) n",
    "insert into blocked_by (owner_key, blocker_name)
     select md5('user' || owner)::uuid, 'user' || owner + n
     from generate_series(1, 2000) owner, generate_series(1, 10) n",
    "insert into blocked_by (owner_key, blocker_name)
     select md5('user1')::uuid, 'user' || n
     from generate_series(12, 501) n",
    "insert into friend_requests (owner_key, direction, other_name, state, sent_version, message,
                                  created_at, updated_at)
     select md5('user' || owner)::uuid, 'incoming', 'user' || owner + n, 'pending', n, '', now(),
            now()
     from generate_series(1, 2000) owner, generate_series(1, 20) n",
    // Index-only scans need the visibility map, and good plans the statistics.
    "vacuum analyze apps, tokens, users, friends, blocks, blocked_by, friend_requests",
];

/// What is expected of a statement's plan.
struct Expected {
    statement: &'static str,
    /// The arguments, as SQL; `$names` stands for an array of a hundred names.
    arguments: &'static str,
    /// Parts of the plan's text that must be there.
    uses: &'static [&'static str],
    /// How many rows the scans may return or skip, all together.
    rows: f64,
}

const HOT: &[Expected] = &[
    Expected {
        statement: "relations.check",
        arguments: "md5('user1')::uuid, $names",
        uses: &[
            "using users_pkey on users",
            "using users_leaving_by_name on users",
            "Index Only Scan using friends_pkey on friends",
            "Index Only Scan using blocks_pkey on blocks",
            "Index Only Scan using blocked_by_pkey on blocked_by",
        ],
        rows: 301.0,
    },
    Expected {
        statement: "relations.check",
        arguments: "md5('user1')::uuid, array['user2']",
        uses: &["Index Only Scan using friends_pkey on friends"],
        rows: 4.0,
    },
    Expected {
        statement: "relations.check_pairs",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array['user2', 'user3']",
        uses: &[
            "using users_pkey on users",
            "using users_leaving_by_name on users",
            "Index Only Scan using friends_pkey on friends",
            "Index Only Scan using blocks_pkey on blocks",
            "Index Only Scan using blocked_by_pkey on blocked_by",
        ],
        rows: 10.0,
    },
    Expected {
        statement: "friend_lists.pages",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array['user2', ''], \
                    array[11, 11]::bigint[]",
        uses: &["using users_pkey on users", "Index Only Scan using friends_pkey on friends"],
        rows: 60.0,
    },
    Expected {
        statement: "friend_changes.changes",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array[2990, 40]::bigint[], \
                    array[101, 101]::bigint[], array['epoch', 'epoch']::timestamptz[]",
        uses: &["using users_pkey on users", "using friends_by_version on friends"],
        rows: 20.0,
    },
    Expected {
        statement: "blocks.changes",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array[100495, 0]::bigint[], \
                    array[101, 5]::bigint[]",
        uses: &["using users_pkey on users", "on blocks"],
        rows: 20.0,
    },
    Expected {
        statement: "friend_lists.all",
        arguments: "md5('user1')::uuid",
        uses: &["using users_pkey on users", "Index Only Scan using friends_pkey on friends"],
        rows: 3001.0,
    },
    Expected {
        statement: "friend_lists.get",
        arguments: "md5('user2')::uuid, 'user3', md5('user3')::uuid, 'user2'",
        uses: &[
            "Index Scan using friends_pkey on friends f",
            "Index Only Scan using friends_pkey on friends",
        ],
        rows: 3.0,
    },
    Expected {
        statement: "friends.names",
        arguments: "md5('user1')::uuid, 100",
        uses: &["Index Only Scan using friends_pkey on friends"],
        rows: 150.0,
    },
    Expected {
        // A hundred entries of one user's list of thousands: each is looked up by its key.
        statement: "friends.find",
        arguments: "array_fill(md5('user1')::uuid, array[100]), $names, \
                    array_fill(md5('user2')::uuid, array[100])",
        uses: &["using friends_pkey on friends", "using users_pkey on users"],
        rows: 200.0,
    },
    Expected {
        statement: "friends.find",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array['user2', 'user3'], \
                    array[md5('user2'), md5('user3')]::uuid[]",
        uses: &["using users_pkey on users", "using friends_pkey on friends"],
        rows: 6.0,
    },
    Expected {
        statement: "friends.upsert",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array['user9001', 'user1'], \
                    array[200001, 200002]::bigint[], array['', ''], array['', ''], \
                    array['', ''], array[now(), now()], now()",
        uses: &["Conflict Arbiter Indexes: friends_pkey"],
        rows: 2.0,
    },
    Expected {
        statement: "friends.upsert_keeping_remark",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array['user9001', 'user1'], \
                    array[200001, 200002]::bigint[], array['', ''], array['', ''], \
                    array[now(), now()], now()",
        uses: &["Conflict Arbiter Indexes: friends_pkey"],
        rows: 2.0,
    },
    Expected {
        statement: "friends.update_texts",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array['user2', 'user3'], \
                    array['a', 'b'], array['', ''], array['', ''], array[200001, 200002]::bigint[], \
                    now()",
        uses: &["using friends_pkey on friends"],
        rows: 2.0,
    },
    Expected {
        statement: "friends.tombstone",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array['user2', 'user3'], \
                    array[200001, 200002]::bigint[], array[false, true], now()",
        uses: &["using friends_pkey on friends"],
        rows: 4.0,
    },
    Expected {
        statement: "blocks.page",
        arguments: "md5('user1')::uuid, 100400, 51",
        uses: &[
            "using users_pkey on users",
            "Index Only Scan Backward using blocks_by_version on blocks",
        ],
        rows: 60.0,
    },
    Expected {
        statement: "blocks.newest",
        arguments: "md5('user1')::uuid, 100",
        uses: &[
            "using users_pkey on users",
            "Index Only Scan Backward using blocks_by_version on blocks",
        ],
        rows: 110.0,
    },
    Expected {
        statement: "blocks.find",
        arguments: "array_fill(md5('user1')::uuid, array[100]), $names",
        uses: &["Index Only Scan using blocks_pkey on blocks"],
        rows: 100.0,
    },
    Expected {
        statement: "blocks.blockers",
        arguments: "md5('user1')::uuid, 100",
        uses: &["Index Only Scan using blocked_by_pkey on blocked_by"],
        rows: 100.0,
    },
    Expected {
        statement: "users.get",
        arguments: "md5('user1')::uuid, 'epoch'",
        uses: &["Index Scan using users_pkey on users"],
        rows: 1.0,
    },
    Expected {
        // One by one in the order given: that keeps two transactions from a deadlock.
        statement: "heads.lock",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], false",
        uses: &["Nested Loop", "LockRows", "Index Scan using users_pkey on users"],
        rows: 4.0,
    },
    Expected {
        statement: "heads.lock",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], true",
        uses: &["Nested Loop", "LockRows", "Index Scan using users_pkey on users"],
        rows: 4.0,
    },
    Expected {
        statement: "heads.apply",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array[0, 0]::bigint[], \
                    array[1, 1]::bigint[], array[1, 1], array[0, 0], array[0, 0], array[0, 0]",
        uses: &["Nested Loop", "using users_pkey on users"],
        rows: 2.0,
    },
    Expected {
        statement: "requests.find",
        arguments: "array[md5('user1'), md5('user2')]::uuid[], array['user2', 'user1']",
        uses: &["using friend_requests_pkey on friend_requests"],
        rows: 4.0,
    },
    Expected {
        statement: "users.page",
        arguments: "md5('app8')::uuid, 'user2', 11",
        uses: &["using users_by_name on users"],
        rows: 11.0,
    },
    Expected {
        statement: "tokens.app_of",
        arguments: "sha256('token7'::bytea), now()",
        uses: &["using tokens_pkey on tokens"],
        rows: 51.0,
    },
];

#[tokio::test]
async fn the_hot_statements_read_few_rows_by_the_index_that_is_meant_for_them() {
    let url = postgres::fresh_database().await;
    let mut connection = PgConnection::connect(&url).await.unwrap();
    for statement in FILLING {
        sqlx::query(*statement).execute(&mut connection).await.unwrap();
    }
    let mut bad = Vec::new();
    for expected in HOT {
        // sqlx prepares what it runs, and Postgres may take either kind of plan for that.
        for mode in ["force_custom_plan", "force_generic_plan"] {
            let plan = explain(&mut connection, expected, mode).await;
            let touched = rows_touched(&plan);
            let missing = expected.uses.iter().find(|part| !plan.contains(**part));
            let big = ["friends", "blocks", "blocked_by", "users", "tokens"];
            let whole = big.iter().any(|table| plan.contains(&format!("Seq Scan on {table}")));
            if missing.is_some() || whole || touched > expected.rows {
                bad.push(format!(
                    "{} ({mode}): missing {missing:?}, {touched} of at most {} rows\n{plan}",
                    expected.statement, expected.rows
                ));
            }
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n\n"));
}

/// Runs a statement, and returns how, without keeping what it did.
async fn explain(connection: &mut PgConnection, expected: &Expected, mode: &str) -> String {
    let first = format!("-- {}\n", expected.statement);
    let sql = store::all_statements().find(|sql| sql.starts_with(&first));
    let sql = sql.unwrap_or_else(|| panic!("there is no statement {}", expected.statement));
    let hundred: Vec<String> = (1950..2050).map(|n| format!("'user{n}'")).collect();
    let hundred = format!("array[{}]", hundred.join(", "));
    let arguments = expected.arguments.replace("$names", &hundred);
    let mut tx = connection.begin().await.unwrap();
    for set_up in [
        format!("set local plan_cache_mode = {mode}"),
        "deallocate all".to_owned(),
        format!("prepare hot as {sql}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(set_up)).execute(&mut *tx).await.unwrap();
    }
    let explained = format!("explain (analyze, costs off, timing off) execute hot({arguments})");
    let lines: Vec<String> = sqlx::raw_sql(AssertSqlSafe(explained))
        .fetch_all(&mut *tx)
        .await
        .unwrap_or_else(|error| panic!("{}: {error}", expected.statement))
        .iter()
        .map(|row| sqlx::Row::get(row, 0))
        .collect();
    tx.rollback().await.unwrap();
    lines.join("\n")
}

/// The rows that the scans of tables returned or threw away, over all their loops.
fn rows_touched(plan: &str) -> f64 {
    let mut touched = 0.0;
    let mut loops = 0.0;
    let mut in_scan = false;
    for line in plan.lines() {
        if let Some(actual) = number_after(line, "actual rows=") {
            loops = number_after(line, "loops=").unwrap_or(1.0);
            in_scan = line.contains("Scan ") && !line.contains("Function Scan");
            if in_scan {
                touched += actual * loops;
            }
        } else if in_scan && let Some(removed) = number_after(line, "Rows Removed by Filter: ") {
            touched += removed * loops;
        }
    }
    touched
}

fn number_after(line: &str, mark: &str) -> Option<f64> {
    let rest = line.split_once(mark)?.1;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    rest[..end].parse().ok()
}
