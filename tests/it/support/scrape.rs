//! The metrics of a running service, as a scraper reads them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::http::ask;

/// A metric.
#[derive(Debug, Default)]
pub struct Metric {
    /// "counter", "gauge" or "histogram".
    pub kind: String,
    /// What it means.
    pub help: String,
    /// Its samples: the labels and the value. Those of a histogram are its counts.
    pub samples: Vec<(BTreeMap<String, String>, f64)>,
}

impl Metric {
    /// The names of its labels.
    pub fn labels(&self) -> BTreeSet<&str> {
        self.samples.iter().flat_map(|(labels, _)| labels.keys()).map(String::as_str).collect()
    }
}

/// All metrics, by name.
pub struct Scrape(pub BTreeMap<String, Metric>);

impl Scrape {
    /// Asks the operator's listener at this URL.
    pub async fn of(url: &str) -> Self {
        let answer = ask(url, "GET", "/metrics", &[], b"").await;
        assert_eq!(answer.status, 200);
        Self::read(std::str::from_utf8(&answer.body).unwrap())
    }

    /// Reads the text form. Every sample belongs to a metric with a type and a meaning.
    pub fn read(text: &str) -> Self {
        let mut all: BTreeMap<String, Metric> = BTreeMap::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap();
                all.entry(name.to_owned()).or_default().help = help.to_owned();
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                all.entry(name.to_owned()).or_default().kind = kind.to_owned();
            } else {
                let (name, labels, value) = sample(line);
                let parts = ["_bucket", "_sum", "_count"];
                let whole = parts.iter().find_map(|part| {
                    let whole = name.strip_suffix(part)?;
                    all.get(whole).is_some_and(|m| m.kind == "histogram").then_some((whole, *part))
                });
                match whole {
                    None => all.get_mut(name).unwrap().samples.push((labels, value)),
                    Some((whole, "_count")) => {
                        all.get_mut(whole).unwrap().samples.push((labels, value));
                    }
                    Some(_) => {}
                }
            }
        }
        Self(all)
    }

    /// The value of the one sample that has these labels among its own.
    #[track_caller]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let sum = self.sum(name, labels);
        sum.unwrap_or_else(|| panic!("no {name} with {labels:?}: {:?}", self.0.get(name)))
    }

    /// The sum of the samples that have these labels among their own; `None` if there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let samples = self.0.get(name).map_or(&[][..], |metric| &metric.samples);
        let has = |own: &BTreeMap<String, String>| {
            labels.iter().all(|(label, value)| own.get(*label).is_some_and(|own| own == value))
        };
        let found: Vec<f64> =
            samples.iter().filter(|(own, _)| has(own)).map(|(_, value)| *value).collect();
        (!found.is_empty()).then(|| found.iter().sum())
    }
}

/// A line like `name{label="value",…} 1`.
fn sample(line: &str) -> (&str, BTreeMap<String, String>, f64) {
    let (before, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match before.split_once('{') {
        None => (before, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap()),
    };
    let labels = labels.split("\",").filter(|label| !label.is_empty()).map(|label| {
        let (label, value) = label.split_once("=\"").unwrap();
        (label.to_owned(), value.trim_end_matches('"').to_owned())
    });
    (name, labels.collect(), value.parse().unwrap())
}

/// The rows of the table in docs/metrics.md: name, type, labels, unit, meaning.
pub fn documented() -> Vec<[String; 5]> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/metrics.md");
    let text = fs::read_to_string(path).unwrap();
    let rows = text
        .lines()
        .filter(|line| ["| `befriend_", "| `process_"].iter().any(|name| line.starts_with(name)));
    rows.map(|row| {
        let cells: Vec<String> =
            row.trim_matches('|').split(" | ").map(|cell| cell.trim().replace('`', "")).collect();
        cells.try_into().unwrap_or_else(|cells| panic!("not five cells: {cells:?}"))
    })
    .collect()
}
