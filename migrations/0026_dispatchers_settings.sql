-- Where an instance lets callbacks go, so that instances which differ say so. Null for one of an earlier
-- version.
alter table dispatchers add column allows_private boolean;
