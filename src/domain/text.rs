//! Free text of bounded length, which callers send and the service only stores.
//!
//! Lengths are in characters (Unicode scalar values), never bytes, as both vendors count them.

/// Refuses a text with more than `max_chars` characters, and one with NUL, which Postgres can't store.
///
/// # Errors
/// What is wrong with the text.
pub(super) fn check(text: &str, max_chars: usize) -> Result<(), String> {
    if text.contains('\0') {
        return Err("must not contain NUL (U+0000)".to_owned());
    }
    // A character has at least one byte, so a text of few bytes needs no counting.
    if text.len() > max_chars && text.chars().nth(max_chars).is_some() {
        return Err(format!("must be at most {max_chars} characters long"));
    }
    Ok(())
}

/// The text without the byte order mark that some programs write in front of UTF-8.
#[must_use]
pub fn without_byte_order_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_counts_characters_and_not_bytes() {
        assert!(check(&"好".repeat(100), 100).is_ok());
        assert!(check(&"好".repeat(101), 100).is_err());
        assert!(check(&"👍".repeat(100), 100).is_ok());
        assert!(check(&"a".repeat(101), 100).is_err());
    }

    #[test]
    fn nul_is_refused_at_any_position() {
        assert!(check("a\0b", 100).is_err());
        assert!(check("\0", 100).is_err());
    }

    #[test]
    fn one_byte_order_mark_is_left_out() {
        assert_eq!(without_byte_order_mark(b"\xef\xbb\xbfa"), b"a");
        assert_eq!(without_byte_order_mark(b"\xef\xbb\xbf\xef\xbb\xbf"), b"\xef\xbb\xbf");
        assert_eq!(without_byte_order_mark(b"\xef\xbb"), b"\xef\xbb");
    }
}
