-- NetEase's AppKey and AppSecret, of the owner's choice. The secret has to be readable, for the
-- checksum of every call: it is sealed with a key that is not in the database.
alter table apps
    add column netease_app_key text collate "C",
    add column netease_secret bytea,
    add constraint "a NetEase AppKey has a secret"
        check ((netease_app_key is null) = (netease_secret is null));
