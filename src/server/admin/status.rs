//! What the process is and does now, as JSON for people: what a first look at an instance wants to know.

use serde_json::{Value, json};

use super::shown::{Service, Shown};
use crate::{
    background_work::PARTS,
    ops::Core,
    store::{self, PoolState, Role},
};

/// The state of now. Without a service that serves yet, what is known without one.
pub(super) fn of(shown: &Shown) -> Value {
    let mut status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "schema": store::expected_version(),
        "process_id": std::process::id(),
        "uptime_seconds": shown.started.elapsed().as_secs(),
        "readiness": shown.readiness.report(),
        "log": shown.log.filter(),
    });
    if let Some(service) = shown.service.get() {
        status["database"] = database(&service.core);
        status["callbacks"] = callbacks(service);
        status["background_work"] = background(&service.core);
        let counts = service.peers.counts();
        status["connections"] = json!({
            "open": counts.all,
            "without_a_request": counts.opening,
            "unsent_bytes": counts.unsent,
            "watchers": service.core.watches.count(),
            "watched_users": service.core.watches.users(),
        });
        status["limits"] = limits(&service.core, counts.max);
    }
    status
}

fn database(core: &Core) -> Value {
    let PoolState { max, open, idle, waiting } = core.db.pool_state();
    let ahead = core.clock.machine_ahead().map(time::Duration::as_seconds_f64);
    json!({
        "role": core.db.role().map_or("unreachable", Role::name),
        "disk_full": core.db.is_full(),
        "machine_clock_ahead_seconds": ahead,
        "pool": {
            "max": max,
            "open": open,
            "used": open.saturating_sub(idle),
            "waiting": waiting,
        },
    })
}

/// How many failing rules are shown, those with most failures first.
const MAX_RULES: usize = 50;

fn callbacks(service: &Service) -> Value {
    let delivery = service.delivery.now();
    let mut failing: Vec<_> = delivery.failing.iter().collect();
    failing.sort_unstable_by_key(|(rule, failing)| (std::cmp::Reverse(failing.in_a_row), **rule));
    let failing = failing.into_iter().take(MAX_RULES).map(|(rule, failing)| {
        json!({ "rule": rule.to_string(), "app": failing.app, "failures_in_a_row": failing.in_a_row })
    });
    json!({
        "dispatcher": delivery.dispatcher_id.map(|id| id.to_string()),
        "partitions_held": delivery.partitions,
        "streams": delivery.streams,
        "failing_rules": failing.collect::<Vec<_>>(),
    })
}

/// The kinds of work that failed last, with how often in a row.
fn background(core: &Core) -> Value {
    let works = PARTS.iter().flat_map(|(_, works)| *works);
    let failing = works.map(|work| (work.name(), core.background_work.failures(*work)));
    let failing = failing.filter(|(_, failures)| *failures > 0);
    json!({ "failures_in_a_row": failing.collect::<std::collections::BTreeMap<_, _>>() })
}

fn limits(core: &Core, connections: usize) -> Value {
    let bounds = &core.bounds;
    json!({
        "connections": connections,
        "watchers": core.watches.max(),
        "import_names": bounds.import_names,
        "block_names": bounds.block_names,
        "check_names": bounds.check_names,
        "batch_users": bounds.batch_users,
        "page": bounds.friend_pages.max,
        "sync_page": bounds.sync_pages.max,
        "user_page": bounds.user_pages.max,
        "pending_requests": bounds.pending_requests,
        "callback_rules": bounds.callback_rules,
    })
}
