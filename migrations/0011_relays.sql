-- The instances that deliver, so that each knows its fair share.
create table relays (
    relay_id  uuid                     not null,
    seen_at   timestamp with time zone not null,
    constraint relays_pkey primary key (relay_id)
);
