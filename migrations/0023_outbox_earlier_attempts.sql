-- How many of an event's attempts were made before it was retried: the schedule counts from there, the
-- event shows all of them.
alter table outbox
    add column earlier_attempts integer not null default 0,
    add constraint "earlier attempts are among the attempts" check (earlier_attempts between 0 and attempts);
