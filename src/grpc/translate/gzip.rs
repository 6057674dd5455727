//! Compressed messages.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use prost::bytes::Bytes;
use tonic::Status;

use crate::domain::Invalid;

/// Shorter messages are sent as they are: compressed they would hardly be shorter.
const WORTH_IT: usize = 1024;

/// Whether messages in this encoding are compressed.
///
/// # Errors
/// UNIMPLEMENTED for an encoding that is not known.
pub(super) fn is_compressed(encoding: &str) -> Result<bool, Status> {
    match encoding.trim() {
        "" | "identity" => Ok(false),
        "gzip" => Ok(true),
        other => Err(Status::unimplemented(format!(
            "the compression {} is not known: gzip and identity are taken",
            other.escape_default()
        ))),
    }
}

/// Whether a list of accepted encodings has gzip.
pub(super) fn is_accepted(list: &str) -> bool {
    list.split(',').any(|encoding| {
        let mut parts = encoding.split(';').map(str::trim);
        let refused = |part: &str| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0));
        parts.next() == Some("gzip") && !parts.any(refused)
    })
}

/// The message in compressed bytes, of at most `max` bytes: no more than that is ever made of them.
///
/// # Errors
/// `Invalid` when the message is larger, or the bytes are not gzip.
pub(super) fn decompress(bytes: &[u8], max: usize) -> Result<Bytes, Invalid> {
    let mut message = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut message);
    read.map_err(|error| Invalid::argument("message", format!("can't be decompressed: {error}")))?;
    if message.len() > max {
        return Err(too_large(max));
    }
    Ok(message.into())
}

/// The compressed message; `None` where that is not worth it.
pub(super) fn compress(message: &[u8]) -> Option<Bytes> {
    if message.len() < WORTH_IT {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(message.len() / 2), Compression::fast());
    encoder.write_all(message).ok()?;
    let compressed = encoder.finish().ok()?;
    (compressed.len() < message.len()).then(|| compressed.into())
}

/// The error for a message of more than `max` bytes.
pub(super) fn too_large(max: usize) -> Invalid {
    Invalid::argument("message", format!("must have at most {max} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back_up_to_its_bound() {
        let message = "friend".repeat(1000);
        let compressed = compress(message.as_bytes()).unwrap();
        assert_eq!(decompress(&compressed, 6000).unwrap(), message);
        assert_eq!(decompress(&compressed, 5999), Err(too_large(5999)));
        assert!(decompress(&compressed[..40], 6000).is_err());
        assert!(decompress(b"no gzip", 6000).is_err());
        assert_eq!(compress(&[b'x'; 100]), None);
    }

    #[test]
    fn gzip_is_accepted_where_the_list_says_so() {
        for list in ["gzip", "br, gzip", "gzip;q=0.5,identity", "deflate, gzip ; q=1"] {
            assert!(is_accepted(list), "{list}");
        }
        for list in ["", "br", "gzip;q=0", "gzip; q=0.0", "identity, xgzip", "*"] {
            assert!(!is_accepted(list), "{list}");
        }
    }
}
