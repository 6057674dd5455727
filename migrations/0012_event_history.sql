-- Events that were delivered or given up, in partitions by day, which retention drops whole. The
-- service makes the partitions.
create table event_history (
    owner_key    uuid                     not null,
    rule_id      uuid                     not null,
    seq          bigint                   not null,
    app_id       uuid                     not null,
    message_id   bigint                   not null,
    type         text                     not null,
    owner_name   text collate "C"         not null,
    friend_name  text collate "C"         not null,
    detail       text                     not null,
    state        text                     not null,
    attempts     integer                  not null,
    attempt_log  text                     not null,
    created_at   timestamp with time zone not null,
    finished_at  timestamp with time zone not null,
    constraint event_history_pkey primary key (owner_key, rule_id, seq, finished_at),
    constraint "a finished event was delivered or failed" check (state in ('delivered', 'failed'))
) partition by range (finished_at);

create index event_history_by_app on event_history (app_id, created_at desc, owner_key, seq, rule_id);
create index event_history_failed on event_history (rule_id, created_at) where state = 'failed';
