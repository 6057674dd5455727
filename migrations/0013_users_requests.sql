-- The list head learns to count friend requests, and up to which version tombstones were purged:
-- whoever follows a list from below must begin anew.
alter table users
    add column incoming_requests integer not null default 0,
    add column outgoing_requests integer not null default 0,
    add column friends_purged_to bigint not null default 0,
    add column blocks_purged_to bigint not null default 0,
    add constraint "a count of requests is never negative"
        check (incoming_requests >= 0 and outgoing_requests >= 0);
