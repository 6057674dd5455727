-- All parts, held by nobody.
insert into outbox_leases (part) select part from generate_series(0, 255) as part;
