create index friends_tombstones on friends (updated_at) where deleted and remark = '';
