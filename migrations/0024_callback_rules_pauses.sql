-- Until when a rule's receiver wants to be left alone, and how often in a row it said so: no instance
-- sends it anything before.
alter table callback_rules
    add column paused_until timestamp with time zone,
    add column slow_downs   integer not null default 0,
    add constraint "slow-downs are never negative" check (slow_downs >= 0);
