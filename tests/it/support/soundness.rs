//! Whether the tables agree with each other, whatever calls came before.

use sqlx::PgPool;

/// Rules that hold for every app after every call, each as a query for the rows that break it.
const RULES: [(&str, &str); 5] = [
    (
        "a friend count is the number of standing entries",
        "select u.username from users u
         where u.friend_count <>
               (select count(*) from friends f where f.owner_key = u.owner_key and not f.deleted)",
    ),
    (
        "a block count is the number of standing entries",
        "select u.username from users u
         where u.block_count <>
               (select count(*) from blocks b where b.owner_key = u.owner_key and not b.deleted)",
    ),
    (
        "a friendship stands on both sides or on none",
        "select u.username || '/' || f.friend_name
         from friends f
         join users u using (owner_key)
         left join users o on o.app_id = u.app_id and o.username = f.friend_name
         left join friends b on b.owner_key = o.owner_key and b.friend_name = u.username
         where f.deleted is distinct from b.deleted",
    ),
    (
        "a block stands under both users",
        "select coalesce(stands.blocker, mirrored.blocker)
         from (select o.owner_key, u.username as blocker
               from blocks b
               join users u using (owner_key)
               join users o on o.app_id = u.app_id and o.username = b.blocked_name
               where not b.deleted) stands
         full join (select owner_key, blocker_name as blocker from blocked_by) mirrored
             using (owner_key, blocker)
         where stands.blocker is null or mirrored.blocker is null",
    ),
    (
        "no entry is newer than its list",
        "select u.username from users u
         where u.version < greatest(
             (select max(version) from friends f where f.owner_key = u.owner_key),
             (select max(version) from blocks b where b.owner_key = u.owner_key))",
    ),
];

/// Fails with what breaks a rule.
pub async fn expect_sound(pool: &PgPool) {
    for (rule, breakers) in RULES {
        let breakers: Vec<String> =
            sqlx::query_scalar(breakers).fetch_all(pool).await.expect("the tables can be read");
        assert!(breakers.is_empty(), "{rule}, but not for {breakers:?}");
    }
}
