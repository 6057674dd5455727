-- Requests to become friends, under both users: the recipient's as incoming, the requester's as
-- outgoing. Of two users and a direction only the last one is kept. sent_version is the owner's
-- version of the sending, the newest-first order.
create table friend_requests (
    owner_key     uuid                     not null,
    direction     text collate "C"         not null,
    other_name    text collate "C"         not null,
    state         text                     not null,
    sent_version  bigint                   not null,
    message       text                     not null,
    answer        text                     not null default '',
    created_at    timestamp with time zone not null,
    updated_at    timestamp with time zone not null,
    constraint friend_requests_pkey primary key (owner_key, direction, other_name),
    constraint "a friend request belongs to a user" foreign key (owner_key) references users (owner_key),
    constraint "a friend request is incoming or outgoing" check (direction in ('incoming', 'outgoing')),
    constraint "a friend request has a known state"
        check (state in ('pending', 'accepted', 'rejected', 'cancelled', 'expired')),
    constraint "a request's message has at most 256 characters"
        check (char_length(message) <= 256 and char_length(answer) <= 256)
);

create unique index friend_requests_by_version on friend_requests (owner_key, direction, sent_version);

create index friend_requests_open on friend_requests (created_at) where state = 'pending' and direction = 'incoming';

create index friend_requests_closed on friend_requests (updated_at) where state <> 'pending';
