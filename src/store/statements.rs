//! What the files of statements share: the form of a statement, its parameters and its answer.

use crate::domain::Error;

/// Declares the statements of a file as constants, and lists them for the tests that have Postgres check
/// each one against the migrated schema.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:literal;)+) => {
        $($(#[$doc])* const $name: &str = $sql;)+
        /// Every statement of this file.
        pub(in crate::store) const STATEMENTS: &[&str] = &[$($name),+];
    };
}
pub(super) use statements;

/// Checks that a statement changed as many rows as it was given. The rows are locked and were looked
/// at before, so another number means that the lists of two users disagree; the transaction must end.
pub(super) fn all_changed(rows: u64, expected: usize) -> Result<(), Error> {
    if rows == expected as u64 {
        return Ok(());
    }
    Err(Error::Internal(format!(
        "{rows} rows changed where {expected} were expected: the lists of two users disagree"
    )))
}

/// One array parameter of a statement: a value of each item.
pub(super) fn column<'a, T, V>(items: &'a [T], value: impl Fn(&'a T) -> V) -> Vec<V> {
    items.iter().map(value).collect()
}

/// The index of an item by its position: `with ordinality` counts from 1.
pub(super) fn index(position: i64) -> usize {
    usize::try_from(position - 1).unwrap_or(usize::MAX)
}
