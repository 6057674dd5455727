-- App tokens, kept as SHA-256: whoever reads this table can't use them.
create table tokens (
    token_hash  bytea                    not null,
    app_id      uuid                     not null,
    created_at  timestamp with time zone not null,
    expires_at  timestamp with time zone not null,
    constraint tokens_pkey primary key (token_hash),
    constraint "a token belongs to an app" foreign key (app_id) references apps (app_id) on delete cascade
);

create index tokens_by_app on tokens (app_id);
create index tokens_by_expiry on tokens (expires_at);
