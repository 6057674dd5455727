-- The accounts, each with the head of its lists: counts and version, written under the row's lock.
-- owner_key is computed by the service from app and username (domain::OwnerKey). A deleted user's
-- row stays, so that the version goes on when the name is used again.
create table users (
    owner_key     uuid                     not null,
    app_id        uuid                     not null,
    username      text collate "C"         not null,
    uuid          uuid                     not null,
    nickname      text                     not null,
    activated     boolean                  not null,
    created_at    timestamp with time zone not null,
    modified_at   timestamp with time zone not null,
    deleted_at    timestamp with time zone,
    -- True from a deletion until the user stands in nobody's list any more.
    leaving       boolean                  not null default false,
    friend_count  integer                  not null default 0,
    block_count   integer                  not null default 0,
    version       bigint                   not null default 0,
    constraint users_pkey primary key (owner_key),
    constraint "a user belongs to an app" foreign key (app_id) references apps (app_id),
    constraint "a username has 1 to 64 bytes" check (octet_length(username) between 1 and 64),
    constraint "a nickname has at most 100 characters" check (char_length(nickname) <= 100),
    constraint "a friend count is never negative" check (friend_count >= 0),
    constraint "a block count is never negative" check (block_count >= 0),
    constraint "only a deleted user is leaving" check (not leaving or deleted_at is not null)
) with (fillfactor = 80);

create index users_by_name on users (app_id, username);
create index users_leaving on users (owner_key) where leaving;
