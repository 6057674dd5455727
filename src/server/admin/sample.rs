//! The gauges of what the process has in memory: they are set by each scrape, so that calls need not.

use std::sync::Mutex;

use super::{
    gauge::{flag, number},
    process,
    rules::{self, RuleGauges},
    shown::Service,
};
use crate::{
    background_work::{BackgroundWork, PARTS},
    ops::Core,
    server::{peers::Peers, readiness::Readiness},
    store::{PoolState, Role},
};

/// Sets the gauges to the values of now. While there is no service yet, only those of the process.
pub(super) fn sample(readiness: &Readiness, service: Option<&Service>, gauges: &Mutex<RuleGauges>) {
    process::sample();
    let report = readiness.report();
    flag(metrics::gauge!("befriend_ready"), report.ready);
    for (part, works) in report.parts {
        flag(metrics::gauge!("befriend_part_works", "part" => part), works == true);
    }
    if let Some(Service { core, peers, delivery }) = service {
        database(core);
        connections(peers);
        background(&core.background_work);
        number(metrics::gauge!("befriend_watchers"), core.watches.count());
        number(metrics::gauge!("befriend_watched_users"), core.watches.users());
        let caches = [("rate limits", core.rate_limits.entries())];
        for (cache, entries) in core.callers.entries().into_iter().chain(caches) {
            number(metrics::gauge!("befriend_cache_entries", "cache" => cache), entries);
        }
        let delivery = delivery.now();
        number(metrics::gauge!("befriend_callback_leases_held"), delivery.partitions);
        number(metrics::gauge!("befriend_callback_streams"), delivery.streams);
        rules::sample(&delivery, gauges);
    }
}

fn database(core: &Core) {
    let PoolState { max, open, idle, waiting } = core.db.pool_state();
    number(metrics::gauge!("befriend_db_pool_max_connections"), max);
    number(metrics::gauge!("befriend_db_pool_connections", "state" => "idle"), idle);
    let used = open.saturating_sub(idle);
    number(metrics::gauge!("befriend_db_pool_connections", "state" => "used"), used);
    number(metrics::gauge!("befriend_db_pool_waiting"), waiting);
    let role = core.db.role();
    for known in Role::ALL {
        let gauge = metrics::gauge!("befriend_db_role", "role" => known.name());
        flag(gauge, role == Some(known));
    }
    flag(metrics::gauge!("befriend_db_role", "role" => "unreachable"), role.is_none());
    flag(metrics::gauge!("befriend_db_disk_full"), core.db.is_full());
}

fn connections(peers: &Peers) {
    let counts = peers.counts();
    number(metrics::gauge!("befriend_connections"), counts.all);
    number(metrics::gauge!("befriend_connections_opening"), counts.opening);
    number(metrics::gauge!("befriend_connections_max"), counts.max);
    number(metrics::gauge!("befriend_unsent_bytes"), counts.unsent);
}

fn background(background: &BackgroundWork) {
    for work in PARTS.iter().flat_map(|(_, works)| *works) {
        let gauge = metrics::gauge!("befriend_background_failing", "work" => work.name());
        flag(gauge, background.any_fails(&[*work]));
        metrics::gauge!("befriend_background_failures_in_a_row", "work" => work.name())
            .set(f64::from(background.failures(*work)));
    }
}
