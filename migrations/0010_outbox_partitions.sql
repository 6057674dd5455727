-- All partitions, held by no instance.
insert into outbox_leases (partition) select partition from generate_series(0, 255) as partition;
