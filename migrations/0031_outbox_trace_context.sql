-- The place in its trace of the call that has caused an event, as W3C's traceparent and tracestate with a
-- space between them. Only of calls that are sampled.
alter table outbox
    add column trace_context text collate "C",
    add constraint "a trace context has at most 600 characters" check (char_length(trace_context) <= 600);
