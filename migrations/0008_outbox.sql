-- Events that are still to be delivered: one row for each callback rule that wants the event, written
-- in the transaction of the change. seq is the owner's version of the change: events of one owner and
-- rule are delivered in its order. partition is the first byte of owner_key.
create table outbox (
    owner_key        uuid                     not null,
    rule_id          uuid                     not null,
    seq              bigint                   not null,
    partition        smallint                 not null,
    app_id           uuid                     not null,
    message_id       bigint                   not null,
    type             text                     not null,
    owner_name       text collate "C"         not null,
    friend_name      text collate "C"         not null,
    detail           text                     not null,
    attempts         integer                  not null default 0,
    attempt_log      text                     not null default '',
    next_attempt_at  timestamp with time zone not null,
    created_at       timestamp with time zone not null,
    constraint outbox_pkey primary key (owner_key, rule_id, seq),
    constraint "a partition is a byte" check (partition between 0 and 255),
    constraint "attempts are never negative" check (attempts >= 0)
) with (fillfactor = 80);

create index outbox_due on outbox (rule_id, next_attempt_at);
