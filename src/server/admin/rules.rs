//! The gauges of callback rules that fail. Their number is bounded: a gauge can't be taken back, and an
//! installation may have thousands of rules.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use metrics::Gauge;
use uuid::Uuid;

use super::gauge::number;
use crate::delivery::Delivery;

/// How many rules have a gauge of their own: the first that failed.
const MAX: usize = 100;

/// A rule fails from so many failures in a row on. A single one is no news.
const FAILING: u32 = 3;

/// The gauges by rule.
#[derive(Default)]
pub(super) struct RuleGauges(HashMap<Uuid, Gauge>);

impl std::fmt::Debug for RuleGauges {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RuleGauges").finish_non_exhaustive()
    }
}

/// Sets the gauges. Those of rules that work again, or are gone, become 0.
pub(super) fn sample(delivery: &Delivery, gauges: &Mutex<RuleGauges>) {
    let failing = delivery.failing.values().filter(|rule| rule.in_a_row >= FAILING).count();
    number(metrics::gauge!("befriend_callback_rules_failing"), failing);
    let RuleGauges(gauges) = &mut *gauges.lock().unwrap_or_else(PoisonError::into_inner);
    for (rule_id, rule) in &delivery.failing {
        if rule.in_a_row >= FAILING && gauges.len() < MAX {
            gauges.entry(*rule_id).or_insert_with(|| {
                let labels = [("rule", rule_id.to_string()), ("app", rule.app.clone())];
                metrics::gauge!("befriend_callback_rule_failures_in_a_row", &labels)
            });
        }
    }
    for (rule_id, gauge) in gauges {
        let in_a_row = delivery.failing.get(rule_id).map_or(0, |rule| rule.in_a_row);
        gauge.set(f64::from(in_a_row));
    }
}
