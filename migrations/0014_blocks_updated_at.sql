-- When an entry changed last, so that old tombstones can be told.
alter table blocks add column updated_at timestamp with time zone not null default 'epoch';
