-- By which the background finds old tombstones.
create index friends_tombstones on friends (updated_at) where deleted and remark = '';
