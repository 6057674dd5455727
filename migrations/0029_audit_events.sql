-- Who changed what: a row for each change by an operator, at the console, or by an app itself, written in
-- the transaction of the change. Rows are added, and removed by their age; none is ever changed.
create table audit_events (
    event_id    uuid                     not null,
    created_at  timestamp with time zone not null,
    actor_kind  text collate "C"         not null,
    actor_name  text collate "C"         not null,
    origin      text                     not null,
    action      text collate "C"         not null,
    app_id      uuid,
    app_key     text collate "C"         not null,
    target      text                     not null,
    before      text                     not null,
    after       text                     not null,
    constraint audit_events_pkey primary key (created_at, event_id),
    constraint "an audit event has a known kind of actor"
        check (actor_kind in ('root', 'operator', 'console', 'app')),
    constraint "an audit event names an app by id and key" check ((app_id is null) = (app_key = ''))
);

create index audit_events_by_app on audit_events (app_key, created_at, event_id);

create index audit_events_by_actor on audit_events (actor_name, created_at, event_id);

create index audit_events_by_action on audit_events (action, created_at, event_id);
