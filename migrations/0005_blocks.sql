-- Block lists, newest first by version. An unblocked user's row stays as a tombstone for followers
-- of the list.
create table blocks (
    owner_key     uuid                     not null,
    blocked_name  text collate "C"         not null,
    version       bigint                   not null,
    deleted       boolean                  not null default false,
    created_at    timestamp with time zone not null,
    constraint blocks_pkey primary key (owner_key, blocked_name) include (deleted),
    constraint "a block list belongs to a user" foreign key (owner_key) references users (owner_key)
);

create unique index blocks_by_version on blocks (owner_key, version) include (blocked_name, deleted);
