//! What reading the changes of friend lists and of block lists has in common: one statement reads many
//! lists, and its rows are put together list by list.

use uuid::Uuid;

use crate::domain::{Change, ListVersion, OwnerKey};

/// A list, the version after which its changes are wanted, and how many at the most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Since {
    pub(crate) owner: OwnerKey,
    pub(crate) version: i64,
    pub(crate) rows: i64,
}

/// The same of many lists, as the array parameters of a statement.
#[derive(Default)]
pub(super) struct SinceArrays {
    pub(super) owners: Vec<Uuid>,
    pub(super) versions: Vec<i64>,
    pub(super) rows: Vec<i64>,
}

impl SinceArrays {
    pub(super) fn push(&mut self, list: Since) {
        self.owners.push(list.owner.as_uuid());
        self.versions.push(list.version);
        self.rows.push(list.rows);
    }
}

/// The head of a list, and changes of it in the order of their versions.
pub(crate) type Headed<C> = (ListVersion, Vec<C>);

/// Puts rows together list by list. Each row has the list's position from 1, its head, and a change if the
/// list has any. The changes are sorted here, because Postgres would sort the rows of all lists together.
pub(super) fn by_list<C: Change>(
    lists: usize,
    rows: impl Iterator<Item = (i64, ListVersion, Option<C>)>,
) -> Vec<Option<Headed<C>>> {
    let mut found: Vec<Option<Headed<C>>> = (0..lists).map(|_| None).collect();
    for (position, head, change) in rows {
        let list = usize::try_from(position - 1).ok().and_then(|at| found.get_mut(at));
        if let Some(list) = list {
            list.get_or_insert_with(|| (head, Vec::new())).1.extend(change);
        }
    }
    for (_, changes) in found.iter_mut().flatten() {
        changes.sort_by_key(Change::version);
    }
    found
}
