-- Which instance delivers which partition of the outbox, and until when. Each new holder of a partition
-- gets the next fencing token: a former holder shows an old one, and settles nothing.
create table outbox_leases (
    partition      smallint                 not null,
    holder         uuid,
    fencing_token  bigint                   not null default 0,
    until          timestamp with time zone,
    constraint outbox_leases_pkey primary key (partition),
    constraint "a leased partition is a byte" check (partition between 0 and 255),
    constraint "a held partition has an end" check ((holder is null) = (until is null))
);
