-- The index of standing apps is in its place.
alter table apps drop constraint "a client_id belongs to one app";
