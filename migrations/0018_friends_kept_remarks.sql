-- By which a leaving user finds who keeps a remark on them.
create index friends_kept_remarks on friends (friend_name, owner_key) where deleted and remark <> '';
