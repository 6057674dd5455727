-- By which the few changes by operators and at the console are found among the many by apps.
create index audit_events_by_kind on audit_events (actor_kind, created_at, event_id)
    where actor_kind <> 'app';
