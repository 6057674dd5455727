-- The tenants. A deleted app keeps its row until all its users' rows are gone.
create table apps (
    app_id               uuid                     not null,
    app_key              text collate "C"         not null,
    client_id            text collate "C"         not null,
    client_secret_hash   bytea                    not null,
    friend_limit         integer                  not null,
    block_limit          integer                  not null,
    requests_per_second  integer                  not null,
    created_at           timestamp with time zone not null,
    modified_at          timestamp with time zone not null,
    deleted_at           timestamp with time zone,
    constraint apps_pkey primary key (app_id),
    constraint "a client_id belongs to one app" unique (client_id),
    constraint "a friend limit is never negative" check (friend_limit >= 0),
    constraint "a block limit is never negative" check (block_limit >= 0),
    constraint "a rate is at least one a second" check (requests_per_second >= 1)
);

-- The key of a deleted app is free at once.
create unique index "an app key belongs to one app" on apps (app_key) where deleted_at is null;
