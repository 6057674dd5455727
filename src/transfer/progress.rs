//! Where long operations report to.

/// Receives the progress of an export, an import or a pull, and the problems on its way.
pub trait ProgressSink: Send {
    /// A step begins, as "reading users.jsonl", with so many units of work if that is known.
    fn begin(&mut self, step: &str, total: Option<u64>);
    /// So many more units of the step are done.
    fn advance(&mut self, count: u64);
    /// A line was not imported, or differs, or a user was left out; the operation goes on.
    fn problem(&mut self, problem: &str);
}
