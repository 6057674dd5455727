-- By which the background finds old tombstones.
create index blocks_tombstones on blocks (updated_at) where deleted;
