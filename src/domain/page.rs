//! Pages of a list.

use super::Invalid;

/// Which page sizes a list allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSizes {
    /// The largest.
    pub max: i32,
    /// The size when a caller asks for 0.
    pub default: i32,
}

impl PageSizes {
    /// The page size when a caller asks for `asked` entries.
    ///
    /// # Errors
    /// [`Invalid::PageSize`] below 0 and above the largest. A smaller page instead would look like the
    /// whole list to a caller who ignores the page token.
    pub fn choose(self, asked: i32) -> Result<PageSize, Invalid> {
        match asked {
            0 => Ok(PageSize(self.default)),
            1.. if asked <= self.max => Ok(PageSize(asked)),
            _ => Err(Invalid::PageSize { max: self.max }),
        }
    }
}

/// How many entries a page holds at most; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize(i32);

impl PageSize {
    /// How many entries.
    #[must_use]
    pub fn entries(self) -> usize {
        usize::try_from(self.0).expect("a page size is positive")
    }

    /// How many rows to read: one more than the page holds, which tells whether another page follows.
    #[must_use]
    pub fn rows_to_read(self) -> i64 {
        i64::from(self.0) + 1
    }
}

/// A page and, unless it is the last, where the next one starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, P> {
    /// The entries.
    pub items: Vec<T>,
    /// The position of the last entry, when more follow.
    pub next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// Cuts rows read with [`PageSize::rows_to_read`] to a page.
    pub fn cut(mut rows: Vec<T>, size: PageSize, position: impl FnOnce(&T) -> P) -> Self {
        let more = rows.len() > size.entries();
        rows.truncate(size.entries());
        let next = if more { rows.last().map(position) } else { None };
        Self { items: rows, next }
    }

    /// The same page with other entries.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U, P> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: PageSizes = PageSizes { max: 50, default: 10 };

    #[test]
    fn a_page_size_is_within_its_bound_and_zero_is_the_default() {
        assert_eq!(SIZES.choose(0).unwrap(), PageSize(10));
        assert_eq!(SIZES.choose(50).unwrap(), PageSize(50));
        assert!(SIZES.choose(51).is_err());
        assert!(SIZES.choose(-1).is_err());
        assert!(SIZES.choose(i32::MIN).is_err());
    }

    #[test]
    fn only_a_page_that_more_rows_follow_has_a_next() {
        let size = SIZES.choose(2).unwrap();
        assert_eq!(Page::cut(vec![1, 2], size, |n| *n).next, None);
        let page = Page::cut(vec![1, 2, 3], size, |n| *n);
        assert_eq!((page.items, page.next), (vec![1, 2], Some(2)));
        assert_eq!(Page::cut(Vec::<i32>::new(), size, |n| *n).next, None);
    }
}
