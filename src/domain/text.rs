//! Free text of bounded length, which callers give and we only keep.
//!
//! Lengths are in characters (Unicode scalar values), never bytes, as both vendors count them.

/// Says why `text` can't be kept, or nothing: it has more than `max_chars` characters, or holds NUL,
/// which Postgres can't store.
pub(super) fn objection(text: &str, max_chars: usize) -> Option<String> {
    if text.contains('\0') {
        return Some("must not contain NUL (U+0000)".to_owned());
    }
    // A character has at least one byte, so most texts need no count.
    if text.len() > max_chars && text.chars().nth(max_chars).is_some() {
        return Some(format!("must be at most {max_chars} characters long"));
    }
    None
}

/// Without the byte order mark that some programs write in front of UTF-8.
#[must_use]
pub fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_and_not_bytes() {
        assert_eq!(objection(&"好".repeat(100), 100), None);
        assert!(objection(&"好".repeat(101), 100).is_some());
        assert_eq!(objection(&"👍".repeat(100), 100), None);
        assert!(objection(&"a".repeat(101), 100).is_some());
    }

    #[test]
    fn nul_is_refused_wherever_it_stands() {
        assert!(objection("a\0b", 100).is_some());
        assert!(objection("\0", 100).is_some());
    }

    #[test]
    fn one_byte_order_mark_is_left_out() {
        assert_eq!(without_byte_order_mark(b"\xef\xbb\xbfa"), b"a");
        assert_eq!(without_byte_order_mark(b"\xef\xbb\xbf\xef\xbb\xbf"), b"\xef\xbb\xbf");
        assert_eq!(without_byte_order_mark(b"\xef\xbb"), b"\xef\xbb");
    }
}
