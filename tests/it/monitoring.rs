//! The files in monitoring/: rules and dashboards name metrics that there are, and the rules fire when they
//! should.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::scrape::documented;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn file(path: &str) -> PathBuf {
    Path::new(ROOT).join("monitoring").join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn dashboards() -> Vec<(PathBuf, Value)> {
    let files = fs::read_dir(file("grafana/dashboards")).unwrap().map(|file| file.unwrap().path());
    let read = files.map(|path| (path.clone(), serde_json::from_str(&read(&path)).unwrap()));
    let read: Vec<(PathBuf, Value)> = read.collect();
    assert!(read.len() > 1, "there are dashboards");
    read
}

/// All expressions of a dashboard, with values for Grafana's variables.
fn expressions(dashboard: &Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions = targets.map(|target| target["expr"].as_str().unwrap());
    expressions.map(|e| e.replace("$__rate_interval", "1m").replace("$instance", ".*")).collect()
}

/// The names of metrics in an expression. Those that a rule records have a colon in their names.
fn metrics(text: &str) -> BTreeSet<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let words = text.split(|c| !is_name(c));
    words
        .filter(|word| word.starts_with("befriend_") || word.starts_with("process_"))
        .filter(|word| !word.contains(':'))
        .collect()
}

/// Those of the names that no metric has, as a scrape shows them.
fn unknown<'a>(names: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let known = documented();
    let is_known = |name: &str| {
        known.iter().any(|[metric, kind, ..]| match name.strip_prefix(metric.as_str()) {
            Some("") => kind != "histogram",
            Some("_bucket" | "_sum" | "_count") => kind == "histogram",
            _ => false,
        })
    };
    names.iter().copied().filter(|name| !is_known(name)).collect()
}

#[test]
fn dashboards_and_rules_name_metrics_that_the_service_has() {
    for (path, dashboard) in dashboards() {
        let all = expressions(&dashboard).join(" ");
        let names = metrics(&all);
        assert!(names.len() > 10, "{}", path.display());
        assert_eq!(unknown(&names), [""; 0], "{}", path.display());
    }
    let rules = read(&file("rules.yml"));
    // The groups have names of the same form, and texts for people name histograms as a whole.
    let texts = ["- name: ", "summary: ", "description: "];
    let is_text = |line: &&str| texts.iter().any(|text| line.contains(text));
    let text: Vec<&str> = rules.lines().filter(|line| !is_text(line)).collect();
    let text = text.join("\n");
    assert_eq!(unknown(&metrics(&text)), [""; 0]);
}

#[test]
fn a_metric_that_there_is_not_is_found() {
    let names =
        metrics("rate(befriend_calls_total[5m]) / befriend_nothing + befriend_call_seconds");
    assert_eq!(unknown(&names), ["befriend_call_seconds", "befriend_nothing"]);
}

#[test]
fn every_metric_is_on_a_dashboard_or_in_a_rule() {
    let mut text = read(&file("rules.yml"));
    for (_, dashboard) in dashboards() {
        text += &expressions(&dashboard).join(" ");
    }
    let named = metrics(&text);
    let all = documented();
    let missing = all.iter().map(|[name, ..]| name.as_str()).filter(|name| {
        let not_shown = ["befriend_build_info", "process_start_time_seconds"].contains(name)
            || *name == "process_threads"
            || *name == "process_virtual_memory_bytes";
        let parts = ["", "_bucket", "_sum", "_count"];
        !not_shown && !parts.iter().any(|part| named.contains(format!("{name}{part}").as_str()))
    });
    assert_eq!(missing.collect::<Vec<_>>(), [""; 0]);
}

/// Runs promtool, which `make alerts` installs.
fn promtool(arguments: &[&str]) {
    let tool = Command::new(Path::new(ROOT).join("scripts/tool")).arg("promtool").output().unwrap();
    assert!(tool.status.success(), "promtool is missing: run make alerts");
    let tool = String::from_utf8(tool.stdout).unwrap();
    let output = Command::new(tool.trim()).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&said));
}

#[test]
#[ignore = "needs promtool: make alerts"]
fn each_alert_fires_when_it_should_and_not_before() {
    promtool(&["test", "rules", file("rules_test.yml").to_str().unwrap()]);
}

#[test]
fn every_alert_has_a_test() {
    let (rules, tests) = (read(&file("rules.yml")), read(&file("rules_test.yml")));
    let alerts: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        let fires = tests.split("alertname: ").skip(1).any(|test| {
            test.lines().next() == Some(alert)
                && test.lines().nth(1).unwrap().contains("exp_alerts")
        });
        assert!(fires, "{alert} fires in no test");
    }
}

#[test]
#[ignore = "needs promtool: make alerts"]
fn prometheus_can_read_the_rules_and_every_expression_of_the_dashboards() {
    promtool(&["check", "rules", file("rules.yml").to_str().unwrap()]);
    for (path, dashboard) in dashboards() {
        let rules = expressions(&dashboard).into_iter().enumerate().map(|(number, expression)| {
            serde_json::json!({ "record": format!("panel:{number}"), "expr": expression })
        });
        let rules: Vec<Value> = rules.collect();
        // JSON is YAML.
        let rules = serde_json::json!({ "groups": [{ "name": "panels", "rules": rules }] });
        let name = path.file_name().unwrap().to_str().unwrap();
        let written = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("panels-{name}"));
        fs::write(&written, rules.to_string()).unwrap();
        promtool(&["check", "rules", written.to_str().unwrap()]);
    }
}
