//! What an import prints at its end.

use serde_json::{Map, Value, json};

use crate::{
    cli::output::{OutputArgs, OutputError, print},
    pull::Pulled,
    transfer::{Kind, LineCounts, Options, Report},
};

/// Prints what was pulled, a line for each kind of record, and the differences, if the import was compared.
pub(super) fn print_report(
    output: OutputArgs,
    pulled: Option<&Pulled>,
    report: &Report,
    options: Options,
) -> Result<(), OutputError> {
    if output.is_json() {
        return output.members(members(pulled, report, options));
    }
    if let Some(pulled) = pulled {
        print_pulled(pulled)?;
    }
    for (kind, lines) in Kind::ALL.into_iter().zip(report.lines) {
        let tally = lines.tally;
        let mut words = vec![format!("{} lines", lines.read)];
        if options.write {
            words.push(format!("{} added", tally.added));
            words.push(format!("{} there already", tally.already));
            words.extend(above_zero(&[
                (tally.changed, "changed"),
                (tally.refused, "not imported"),
                (tally.other_sides, "added for the other side"),
            ]));
        }
        words.extend(above_zero(&[
            (lines.bad, "bad"),
            (lines.cut, "imported without an invalid value"),
        ]));
        print(format_args!("{}: {}", kind.as_str(), words.join(", ")))?;
    }
    if options.compare {
        match report.differences.values().sum::<u64>() {
            0 => print("differences: none")?,
            all => print(format_args!("differences: {all}"))?,
        }
        for (kind, count) in &report.differences {
            print(format_args!("  {kind}: {count}"))?;
        }
    }
    Ok(())
}

fn print_pulled(pulled: &Pulled) -> Result<(), OutputError> {
    let mut words = vec![
        format!("{} users", pulled.users),
        format!("{} unknown to the vendor", pulled.unknown),
    ];
    words.extend(above_zero(&[
        (pulled.refused, "refused by the vendor"),
        (pulled.bad_names, "bad names"),
    ]));
    print(format_args!("pulled: {}", words.join(", ")))
}

/// The same as members of an object; null is what was not done.
fn members(
    pulled: Option<&Pulled>,
    report: &Report,
    options: Options,
) -> Vec<(&'static str, Value)> {
    let pulled = pulled.map(|pulled| {
        json!({
            "users": pulled.users,
            "unknown": pulled.unknown,
            "refused": pulled.refused,
            "bad_names": pulled.bad_names,
        })
    });
    let counts = |lines: &LineCounts| {
        let tally = lines.tally;
        json!({
            "lines": lines.read,
            "added": tally.added,
            "already": tally.already,
            "changed": tally.changed,
            "not_imported": tally.refused,
            "other_sides": tally.other_sides,
            "bad": lines.bad,
            "cut": lines.cut,
        })
    };
    let kinds = Kind::ALL.into_iter().zip(&report.lines);
    let differences =
        report.differences.iter().map(|(kind, count)| ((*kind).to_owned(), json!(count)));
    let differences: Map<_, _> = differences.collect();
    let mut members = vec![("pulled", json!(pulled))];
    members.extend(kinds.map(|(kind, lines)| (kind.as_str(), counts(lines))));
    members.push(("differences", json!(options.compare.then_some(differences))));
    members
}

/// "5 bad" for each count that is not zero.
fn above_zero(counts: &[(u64, &str)]) -> impl Iterator<Item = String> {
    counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"))
}
