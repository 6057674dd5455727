-- The instances that deliver events, so that each can compute its fair share of the partitions.
create table dispatchers (
    dispatcher_id  uuid                     not null,
    seen_at        timestamp with time zone not null,
    constraint dispatchers_pkey primary key (dispatcher_id)
);
