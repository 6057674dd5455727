//! The pages of one list at a vendor: whether they end, and whether they hold what the vendor promised.

use std::collections::HashSet;

use super::error::PullError;

/// The pages of a list that have come so far.
pub(super) struct Pages {
    call: String,
    /// The cursors of all pages so far. One that comes again begins a circle, in which a pull would go on
    /// for ever.
    cursors: HashSet<String>,
    /// The counts that stand beside the entries, one a page.
    promised: Vec<u64>,
    received: u64,
}

impl Pages {
    /// The pages that this call returns, of which the first one to come begins at `cursor`.
    pub(super) fn new(call: impl Into<String>, cursor: Option<&str>) -> Self {
        let call = call.into();
        let cursors = cursor.into_iter().map(str::to_owned).collect();
        Self { call, cursors, promised: Vec::new(), received: 0 }
    }

    /// Takes note of a page with so many entries, of the count that the vendor wrote beside them, and of the
    /// cursor of the next page. Returns that cursor; `None` after the last page.
    ///
    /// # Errors
    /// [`PullError::Refused`] for a cursor that came before, and after the last page when entries are missing.
    pub(super) fn turn(
        &mut self,
        entries: usize,
        promised: Option<u64>,
        next: Option<String>,
    ) -> Result<Option<String>, PullError> {
        self.received += entries as u64;
        self.promised.extend(promised);
        match next.filter(|cursor| !cursor.is_empty()) {
            Some(next) if self.cursors.insert(next.clone()) => Ok(Some(next)),
            Some(_) => Err(self.refuse("the cursor does not move on".to_owned())),
            None if self.are_complete() => Ok(None),
            None => {
                let (promised, received) = (self.promised.iter().sum::<u64>(), self.received);
                Err(self.refuse(format!("{received} entries came where {promised} were promised")))
            }
        }
    }

    /// Whether all promised entries came. A count is that of its page, or on every page that of the whole list.
    fn are_complete(&self) -> bool {
        let whole = |count: &u64| *count == self.received;
        self.received >= self.promised.iter().sum() || self.promised.iter().all(whole)
    }

    fn refuse(&self, why: String) -> PullError {
        PullError::Refused { call: self.call.clone(), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the pages of these sizes and counts are taken.
    fn take(pages: &[(usize, Option<u64>)]) -> bool {
        let mut seen = Pages::new("GET /list", None);
        pages.iter().enumerate().all(|(at, &(entries, count))| {
            let next = (at + 1 < pages.len()).then(|| at.to_string());
            seen.turn(entries, count, next).is_ok()
        })
    }

    #[test]
    fn fewer_entries_than_a_vendor_counts_are_refused() {
        for whole in [
            &[(2, None), (1, None)][..],
            &[(2, Some(2)), (1, Some(1))],
            &[(2, Some(3)), (1, Some(3))],
            &[(0, Some(0))],
            &[(2, None), (1, Some(1))],
        ] {
            assert!(take(whole), "{whole:?}");
        }
        for lacking in
            [&[(1, Some(2))][..], &[(2, Some(2)), (0, Some(1))], &[(2, Some(4)), (1, Some(4))]]
        {
            assert!(!take(lacking), "{lacking:?}");
        }
    }
}
