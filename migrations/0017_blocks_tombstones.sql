create index blocks_tombstones on blocks (updated_at) where deleted;
