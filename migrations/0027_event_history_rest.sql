-- Finished events of days without a partition. A role that does not own event_history can't make
-- partitions: all its finished events are here.
create table event_history_rest partition of event_history default;

create index event_history_rest_by_time on event_history_rest (finished_at);
