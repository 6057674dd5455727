-- Who delivers which part of the outbox, and until when. token changes hands with the part: whoever
-- settles shows theirs.
create table outbox_leases (
    part    smallint                 not null,
    holder  uuid,
    token   bigint                   not null default 0,
    until   timestamp with time zone,
    constraint outbox_leases_pkey primary key (part),
    constraint "a leased part is a byte" check (part between 0 and 255),
    constraint "a held part has an end" check ((holder is null) = (until is null))
);
