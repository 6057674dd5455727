-- The AppKey of a deleted app is free at once.
create unique index "a NetEase AppKey belongs to one app" on apps (netease_app_key)
    where deleted_at is null;
