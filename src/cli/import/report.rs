//! What an import prints at its end.

use crate::{
    cli::output::{OutputError, print},
    transfer::{Kind, Options, Report},
};

/// Prints a line for each kind of record, then the differences, if the import was compared.
pub(super) fn print_report(report: &Report, options: Options) -> Result<(), OutputError> {
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

/// "5 bad" for each count that is not zero.
pub(super) fn above_zero(counts: &[(u64, &str)]) -> impl Iterator<Item = String> {
    counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"))
}
