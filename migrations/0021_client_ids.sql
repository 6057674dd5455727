-- The client_id of a deleted app is free at once: its owner may have brought it along, and bring it to
-- another app.
create unique index "a client_id belongs to one standing app" on apps (client_id)
    where deleted_at is null;
