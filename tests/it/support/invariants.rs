//! What holds of the whole database whenever no transaction is under way, whatever was called.

use sqlx::{AssertSqlSafe, PgPool};

/// Each rule, and a query for what breaks it.
const RULES: &[(&str, &str)] = &[
    (
        "an owner_key is the documented hash of app and name",
        "select username
         from users
         where owner_key <> encode(substring(sha256(
             uuid_send(app_id) || '\\x00'::bytea || convert_to(username, 'UTF8')
         ) from 1 for 16), 'hex')::uuid",
    ),
    (
        // Of an ended one, either side's tombstone may be purged already.
        "a friendship stands on both sides or on none",
        "select format('%s -> %s', u.username, f.friend_name)
         from friends f
         join users u using (owner_key)
         where not f.deleted
           and not exists (
             select
             from users o
             join friends g on g.owner_key = o.owner_key
             where o.app_id = u.app_id
               and o.username = f.friend_name
               and g.friend_name = u.username
               and not g.deleted
         )",
    ),
    (
        "a friend count is the number of friends",
        "select format('%s counts %s and has %s', u.username, u.friend_count, count(f.friend_name))
         from users u
         left join friends f on f.owner_key = u.owner_key and not f.deleted
         group by u.owner_key
         having u.friend_count <> count(f.friend_name)",
    ),
    (
        "a block count is the number of blocked users",
        "select format('%s counts %s and has %s', u.username, u.block_count, count(b.blocked_name))
         from users u
         left join blocks b on b.owner_key = u.owner_key and not b.deleted
         group by u.owner_key
         having u.block_count <> count(b.blocked_name)",
    ),
    (
        "a block is known to the one who is blocked",
        "select format('%s blocks %s', u.username, b.blocked_name)
         from blocks b
         join users u using (owner_key)
         where not b.deleted
           and not exists (
               select
               from users o
               join blocked_by y on y.owner_key = o.owner_key
               where o.app_id = u.app_id
                 and o.username = b.blocked_name
                 and y.blocker_name = u.username
           )",
    ),
    (
        "whoever is known as a blocker blocks",
        "select format('%s is blocked by %s', u.username, y.blocker_name)
         from blocked_by y
         join users u using (owner_key)
         where not exists (
             select
             from users o
             join blocks b on b.owner_key = o.owner_key
             where o.app_id = u.app_id
               and o.username = y.blocker_name
               and b.blocked_name = u.username
               and not b.deleted
         )",
    ),
    (
        "nobody stands in a list who does not exist, except while leaving",
        "select format('%s of %s', entry.name, u.username)
         from (
             select owner_key, friend_name as name from friends where not deleted
             union all
             select owner_key, blocked_name from blocks where not deleted
             union all
             select owner_key, blocker_name from blocked_by
             union all
             select owner_key, other_name from friend_requests
         ) entry
         join users u using (owner_key)
         left join users o on o.app_id = u.app_id and o.username = entry.name
         where o.owner_key is null
            or (o.deleted_at is not null and not o.leaving)",
    ),
    (
        "who does not exist has no lists, except while leaving",
        "select username
         from users
         where deleted_at is not null
           and not leaving
           and (friend_count, block_count, incoming_requests, outgoing_requests) <> (0, 0, 0, 0)",
    ),
    (
        "every change of an owner's lists has a version of its own, up to the head's",
        "select format('%s: %s entries, %s versions, %s to %s, head %s', u.username, count(*),
                       count(distinct entry.version), min(entry.version), max(entry.version),
                       u.version)
         from (
             select owner_key, version from friends
             union all
             select owner_key, version from blocks
             union all
             select owner_key, sent_version from friend_requests
         ) entry
         join users u using (owner_key)
         group by u.owner_key
         having count(*) <> count(distinct entry.version)
             or min(entry.version) < 1
             or max(entry.version) > u.version",
    ),
    (
        "an entry does not change before it is made",
        "select format('%s -> %s', u.username, f.friend_name)
         from friends f
         join users u using (owner_key)
         where f.updated_at < f.created_at",
    ),
    (
        "a friend request is the same on both sides",
        "with sides as (
             select r.*, u.app_id, u.username,
                    case r.direction when 'outgoing' then u.username else r.other_name end as asks,
                    case r.direction when 'outgoing' then r.other_name else u.username end as asked
             from friend_requests r
             join users u using (owner_key)
         )
         select format('%s -> %s: %s, %s', coalesce(o.asks, i.asks), coalesce(o.asked, i.asked),
                       o.state, i.state)
         from (select * from sides where direction = 'outgoing') o
         full join (select * from sides where direction = 'incoming') i
             using (app_id, asks, asked)
         where (o.state, o.message, o.answer, o.created_at, o.updated_at)
               is distinct from (i.state, i.message, i.answer, i.created_at, i.updated_at)",
    ),
    (
        "the counts of requests are the numbers of pending ones",
        "select format('%s counts %s got and %s sent, and has %s and %s', u.username,
                       u.incoming_requests, u.outgoing_requests,
                       count(*) filter (where r.direction = 'incoming'),
                       count(*) filter (where r.direction = 'outgoing'))
         from users u
         left join friend_requests r on r.owner_key = u.owner_key and r.state = 'pending'
         group by u.owner_key
         having u.incoming_requests <> count(*) filter (where r.direction = 'incoming')
             or u.outgoing_requests <> count(*) filter (where r.direction = 'outgoing')",
    ),
    (
        "nothing is pending between friends, nor both ways",
        "select format('%s and %s', u.username, r.other_name)
         from friend_requests r
         join users u using (owner_key)
         left join friends f
             on f.owner_key = r.owner_key and f.friend_name = r.other_name and not f.deleted
         where r.state = 'pending'
         group by u.username, r.owner_key, r.other_name
         having count(*) > 1 or count(f.owner_key) > 0",
    ),
    (
        "tombstones are purged up to a version that the list has reached",
        "select format('%s: %s, %s of %s', username, friends_purged_to, blocks_purged_to, version)
         from users
         where friends_purged_to not between 0 and version
            or blocks_purged_to not between 0 and version",
    ),
];

/// Checks all rules and panics with everything that breaks one.
pub async fn hold(pool: &PgPool) {
    let mut broken = Vec::new();
    for (rule, query) in RULES {
        let culprits: Vec<String> = sqlx::query_scalar(AssertSqlSafe(*query))
            .fetch_all(pool)
            .await
            .unwrap_or_else(|error| panic!("{rule}: {error}"));
        broken.extend(culprits.into_iter().map(|culprit| format!("{rule}: {culprit}")));
    }
    assert!(broken.is_empty(), "broken:\n{}", broken.join("\n"));
}

/// Checks that the newest change of every list is the head's version: true of users who were never
/// deleted and have no requests, which take versions without an entry.
pub async fn heads_are_the_newest_entries(pool: &PgPool) {
    let behind: Vec<String> = sqlx::query_scalar(
        "select format('%s: newest %s, head %s', u.username, max(entry.version), u.version)
         from users u
         left join (
             select owner_key, version from friends
             union all
             select owner_key, version from blocks
         ) entry using (owner_key)
         group by u.owner_key
         having u.version <> coalesce(max(entry.version), 0)",
    )
    .fetch_all(pool)
    .await
    .expect("the tables can be read");
    assert!(behind.is_empty(), "a version went by without a change:\n{}", behind.join("\n"));
}
