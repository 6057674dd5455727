//! All metrics: what each is, in one sentence. docs/metrics.md has the same sentences, with the labels.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, histogram};

use self::Kind::{Counter, Gauge, Histogram};
use crate::{background_work::PARTS, gate::NoCall, measure::Limit, store::error_classes};

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric: its kind, name, unit and meaning.
type Metric = (Kind, &'static str, Unit, &'static str);

/// Of the process.
const PROCESS: &[Metric] = &[
    (
        Gauge,
        "befriend_build_info",
        Unit::Count,
        "Always 1; the labels tell the version, and the schema that it needs.",
    ),
    (
        Counter,
        "process_cpu_seconds_total",
        Unit::Seconds,
        "The time that processors worked for the process, in whole seconds.",
    ),
    (Gauge, "process_max_fds", Unit::Count, "How many file descriptors the process may open."),
    (Gauge, "process_open_fds", Unit::Count, "How many file descriptors are open."),
    (Gauge, "process_resident_memory_bytes", Unit::Bytes, "The memory that the process occupies."),
    (
        Gauge,
        "process_start_time_seconds",
        Unit::Seconds,
        "When the process started, in seconds since 1970.",
    ),
    (Gauge, "process_threads", Unit::Count, "The threads of the process."),
    (
        Gauge,
        "process_virtual_memory_bytes",
        Unit::Bytes,
        "The memory that the process has reserved.",
    ),
];

/// Of the service as a whole.
const SERVICE: &[Metric] = &[
    (
        Gauge,
        "befriend_ready",
        Unit::Count,
        "1 while the service is ready for calls, as /readyz says.",
    ),
    (
        Gauge,
        "befriend_part_works",
        Unit::Count,
        "1 while a part of the service works, by the names of the health service.",
    ),
    (
        Gauge,
        "befriend_machine_clock_ahead_seconds",
        Unit::Seconds,
        "By how much the machine's clock is ahead of the database's.",
    ),
    (Gauge, "befriend_connections", Unit::Count, "Connections of callers."),
    (
        Gauge,
        "befriend_connections_opening",
        Unit::Count,
        "Connections of callers that have sent no whole request yet.",
    ),
    (
        Gauge,
        "befriend_connections_max",
        Unit::Count,
        "How many connections of callers there may be.",
    ),
    (Counter, "befriend_connections_accepted_total", Unit::Count, "Connections that were taken."),
    (
        Counter,
        "befriend_connections_closed_total",
        Unit::Count,
        "Connections that the service closed by itself, by why.",
    ),
    (
        Gauge,
        "befriend_unsent_bytes",
        Unit::Bytes,
        "Bytes of answers, and of heads of requests that are not whole yet, which are kept for callers.",
    ),
    (
        Gauge,
        "befriend_tls_certificate_expiry_timestamp_seconds",
        Unit::Seconds,
        "When the served certificate expires, in seconds since 1970.",
    ),
    (Gauge, "befriend_watchers", Unit::Count, "Streams of WatchFriends and WatchBlocks."),
    (Gauge, "befriend_watched_users", Unit::Count, "Users whose lists are watched."),
];

/// Of calls.
const CALLS: &[Metric] = &[
    (
        Counter,
        "befriend_calls_total",
        Unit::Count,
        "Calls that have ended, by code and, where they failed, by reason.",
    ),
    (
        Histogram,
        "befriend_call_seconds",
        Unit::Seconds,
        "How long calls took until their answer began.",
    ),
    (Gauge, "befriend_calls_in_flight", Unit::Count, "Calls whose answer has not begun yet."),
    (
        Counter,
        "befriend_app_calls_total",
        Unit::Count,
        "Calls of the first apps that called (--metrics-apps), and of all others together.",
    ),
    (
        Counter,
        "befriend_requests_without_call_total",
        Unit::Count,
        "Requests that are no call, by what of them nothing takes.",
    ),
    (
        Counter,
        "befriend_refusals_total",
        Unit::Count,
        "What was refused because a limit was reached.",
    ),
    (Histogram, "befriend_batch_members", Unit::Count, "How many calls ran together in a batch."),
    (
        Histogram,
        "befriend_batch_wait_seconds",
        Unit::Seconds,
        "How long a call waited for its batch to start.",
    ),
    (Histogram, "befriend_batch_seconds", Unit::Seconds, "How long batches ran."),
    (
        Counter,
        "befriend_batch_members_alone_total",
        Unit::Count,
        "Calls that ran again, each alone, because their batch failed.",
    ),
    (Counter, "befriend_cache_lookups_total", Unit::Count, "How often a cache was asked."),
    (
        Counter,
        "befriend_cache_misses_total",
        Unit::Count,
        "How often a cache had no answer, so that the database was asked.",
    ),
    (Gauge, "befriend_cache_entries", Unit::Count, "How many entries a cache holds, about."),
];

/// Of background work.
const BACKGROUND: &[Metric] = &[
    (
        Counter,
        "befriend_background_rounds_total",
        Unit::Count,
        "Rounds of background work, by how they ended.",
    ),
    (
        Gauge,
        "befriend_background_failures_in_a_row",
        Unit::Count,
        "How often background work has failed in a row.",
    ),
    (
        Gauge,
        "befriend_background_failing",
        Unit::Count,
        "1 while background work has failed three times in a row or more.",
    ),
    (Histogram, "befriend_upkeep_round_seconds", Unit::Seconds, "How long rounds of upkeep took."),
    (
        Counter,
        "befriend_upkeep_done_total",
        Unit::Count,
        "What upkeep did: rows removed, requests ended, users removed from lists.",
    ),
];

/// Of the database.
const DATABASE: &[Metric] = &[
    (
        Gauge,
        "befriend_db_role",
        Unit::Count,
        "1 for what the last probe found: primary, standby, read-only or unreachable.",
    ),
    (Gauge, "befriend_db_disk_full", Unit::Count, "1 while writes find the database's disk full."),
    (
        Histogram,
        "befriend_db_round_trip_seconds",
        Unit::Seconds,
        "How long the database takes to answer a probe, every second.",
    ),
    (
        Counter,
        "befriend_db_errors_total",
        Unit::Count,
        "Errors of the database, by what they mean.",
    ),
    (
        Counter,
        "befriend_db_retries_total",
        Unit::Count,
        "Reads and transactions that were tried again after a collision or a lost connection.",
    ),
    (
        Counter,
        "befriend_db_connects_total",
        Unit::Count,
        "Attempts to open a connection to the database.",
    ),
    (
        Gauge,
        "befriend_db_pool_connections",
        Unit::Count,
        "Open connections of the pool, by whether they are in use.",
    ),
    (
        Gauge,
        "befriend_db_pool_max_connections",
        Unit::Count,
        "How many connections the pool may open.",
    ),
    (Gauge, "befriend_db_pool_waiting", Unit::Count, "Who waits for a connection of the pool now."),
    (
        Histogram,
        "befriend_db_pool_wait_seconds",
        Unit::Seconds,
        "How long a connection of the pool was waited for, opening it included.",
    ),
    (
        Counter,
        "befriend_db_pool_timeouts_total",
        Unit::Count,
        "Who waited for a connection of the pool in vain.",
    ),
    (
        Gauge,
        "befriend_db_oldest_snapshot_seconds",
        Unit::Seconds,
        "The age of the oldest transaction that keeps dead rows from being removed, every 15 s.",
    ),
    (Gauge, "befriend_db_size_bytes", Unit::Bytes, "The size of the database, every 15 s."),
];

/// Of callbacks.
const CALLBACKS: &[Metric] = &[
    (
        Gauge,
        "befriend_callback_backlog",
        Unit::Count,
        "Events that wait to be delivered, all instances together, up to 100,000, every 15 s.",
    ),
    (
        Gauge,
        "befriend_callback_oldest_due_seconds",
        Unit::Seconds,
        "For how long the event that is due for longest has been due, every 15 s.",
    ),
    (
        Counter,
        "befriend_callback_attempts_total",
        Unit::Count,
        "Attempts to deliver an event, by what became of the event.",
    ),
    (
        Histogram,
        "befriend_callback_attempt_seconds",
        Unit::Seconds,
        "How long attempts to deliver an event took.",
    ),
    (
        Gauge,
        "befriend_callback_leases_held",
        Unit::Count,
        "Partitions of the outbox that this instance delivers, of 256 in all.",
    ),
    (
        Gauge,
        "befriend_callback_streams",
        Unit::Count,
        "Owners whose events this instance delivers now, each for one rule.",
    ),
    (
        Gauge,
        "befriend_callback_rules_failing",
        Unit::Count,
        "Callback rules whose last three attempts by this instance failed, or more.",
    ),
    (
        Gauge,
        "befriend_callback_rule_failures_in_a_row",
        Unit::Count,
        "How many attempts for a rule failed in a row, for the first 100 rules that failed thrice.",
    ),
];

/// The counters whose labels are known, with the label and its values: they begin at 0, so that their first
/// increase is seen.
const ZEROS: &[(&str, &str, &[&str])] = &[
    ("befriend_db_connects_total", "outcome", &["opened", "failed", "read-only", "silent"]),
    ("befriend_callback_attempts_total", "outcome", &["delivered", "retried", "failed"]),
];

/// Tells the recorder of all metrics.
pub(super) fn describe() {
    let all = [PROCESS, SERVICE, CALLS, BACKGROUND, DATABASE, CALLBACKS];
    for (kind, name, unit, meaning) in all.into_iter().flatten() {
        match kind {
            Counter => describe_counter!(*name, *unit, *meaning),
            Gauge => describe_gauge!(*name, *unit, *meaning),
            Histogram => describe_histogram!(*name, *unit, *meaning),
        }
    }
}

/// Begins the counters that nothing has counted yet.
pub(super) fn begin() {
    for name in [
        "befriend_connections_accepted_total",
        "befriend_db_retries_total",
        "befriend_db_pool_timeouts_total",
    ] {
        counter!(name).increment(0);
    }
    for (surface, what) in NoCall::ALL {
        let labels = [("surface", surface.name()), ("what", what.name())];
        counter!("befriend_requests_without_call_total", &labels).increment(0);
    }
    for limit in Limit::ALL {
        counter!("befriend_refusals_total", "limit" => limit.name()).increment(0);
    }
    for (name, label, values) in ZEROS {
        for value in *values {
            counter!(*name, *label => *value).increment(0);
        }
    }
    for class in error_classes() {
        counter!("befriend_db_errors_total", "class" => class).increment(0);
    }
    for work in PARTS.iter().flat_map(|(_, works)| *works) {
        for outcome in ["succeeded", "failed"] {
            let labels = [("work", work.name()), ("outcome", outcome)];
            counter!("befriend_background_rounds_total", &labels).increment(0);
        }
    }
    for (_, works) in PARTS.iter().filter(|(part, _)| *part == "upkeep") {
        for work in *works {
            counter!("befriend_upkeep_done_total", "work" => work.name()).increment(0);
        }
    }
    for name in ["befriend_callback_attempt_seconds", "befriend_upkeep_round_seconds"] {
        // It is shown from its registration on.
        drop(histogram!(name));
    }
}
