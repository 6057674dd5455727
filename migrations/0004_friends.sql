-- Friend lists: two rows a friendship, one under each of the two. A removed friend's row stays as a
-- tombstone, for followers of the list and for the remark of a later re-add. version is the owner's
-- version of the row's last change. The primary key carries what a page shows, so that a page reads
-- no table rows.
create table friends (
    owner_key         uuid                     not null,
    friend_name       text collate "C"         not null,
    version           bigint                   not null,
    deleted           boolean                  not null default false,
    remark            text                     not null default '',
    extension         text                     not null default '',
    server_extension  text                     not null default '',
    created_at        timestamp with time zone not null,
    updated_at        timestamp with time zone not null,
    constraint friends_pkey primary key (owner_key, friend_name) include (deleted, remark),
    constraint "a friend list belongs to a user" foreign key (owner_key) references users (owner_key),
    constraint "a kept remark has at most 128 characters" check (char_length(remark) <= 128),
    constraint "an extension has at most 256 characters" check (char_length(extension) <= 256),
    constraint "a server extension has at most 256 characters" check (char_length(server_extension) <= 256)
);

create unique index friends_by_version on friends (owner_key, version);
