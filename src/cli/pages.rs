//! Lists that are read page by page, as far as a command was asked to show them.

use clap::Args;

use super::{
    error::CommandError,
    output::{OutputArgs, Show},
    progress::print_error,
};
use crate::domain::{Error, Page, PageSize, PageSizes};

/// The largest page that a command reads.
const PAGE: i32 = 100;

/// How much of a list is shown.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct LimitArg {
    /// How many to show at the most.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(i32).range(1..=100_000))]
    limit: i32,
}

impl LimitArg {
    /// Shows the beginning of a list of which one more than the limit was read.
    pub(super) async fn show<T: Show>(
        self,
        output: OutputArgs,
        read: impl AsyncFnOnce(i32) -> Result<Vec<T>, Error>,
    ) -> Result<(), CommandError> {
        let items = read(self.limit + 1).await?;
        let shown = items.len().min(usize::try_from(self.limit)?);
        output.all(&items[..shown])?;
        self.tell(shown < items.len());
        Ok(())
    }

    fn tell(self, more: bool) {
        if more {
            print_error(&format!("befriend: there are more than these {}: --limit", self.limit));
        }
    }
}

/// Shows a list from `start` on.
pub(super) async fn pages<T: Show, P>(
    output: OutputArgs,
    limit: LimitArg,
    start: P,
    read: impl AsyncFn(P, PageSize) -> Result<Page<T, P>, Error>,
) -> Result<(), CommandError> {
    let mut list = output.list::<T>();
    let (mut left, mut next) = (limit.limit, Some(start));
    while left > 0
        && let Some(after) = next.take()
    {
        let size = PageSizes { max: PAGE, default: PAGE }.choose(left.min(PAGE))?;
        let page = read(after, size).await?;
        list.page(&page.items)?;
        left -= i32::try_from(page.items.len())?;
        next = page.next;
    }
    list.end()?;
    limit.tell(next.is_some());
    Ok(())
}
