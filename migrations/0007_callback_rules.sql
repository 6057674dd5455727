-- Where an app's events are sent. Secrets sign, so they must be readable.
create table callback_rules (
    rule_id          uuid                     not null,
    app_id           uuid                     not null,
    url              text                     not null,
    event_types      text[]                   not null,
    body_format      text                     not null,
    enabled          boolean                  not null,
    disabled_reason  text                     not null default '',
    ca_certificates  text                     not null,
    secret           text                     not null,
    old_secret       text,
    old_secret_until timestamp with time zone,
    created_at       timestamp with time zone not null,
    modified_at      timestamp with time zone not null,
    constraint callback_rules_pkey primary key (rule_id),
    constraint "a callback rule belongs to an app" foreign key (app_id) references apps (app_id) on delete cascade,
    constraint "a body format is standard or easemob" check (body_format in ('standard', 'easemob')),
    constraint "an old secret has an end" check ((old_secret is null) = (old_secret_until is null))
);

create index callback_rules_by_app on callback_rules (app_id);
