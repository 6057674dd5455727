-- The other side of blocks: who blocks a user, stored under that user, so that one user's rows
-- answer whether two may write to each other.
create table blocked_by (
    owner_key     uuid              not null,
    blocker_name  text collate "C"  not null,
    constraint blocked_by_pkey primary key (owner_key, blocker_name),
    constraint "a blocked user exists" foreign key (owner_key) references users (owner_key)
);
