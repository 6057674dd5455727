//! Reading requests: paths, queries, forms and bodies, as various clients send them.

use axum::{
    body::{Body, Bytes},
    http::{Method, Uri},
};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode;

/// A body that is too large is read and discarded up to this many times the allowed size: a client
/// that is cut off while it still writes would never read the error.
const DISCARD_FACTOR: usize = 16;

/// Why a request could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the path is not UTF-8")]
    Path,
    #[error("the query is not UTF-8")]
    Query,
    #[error("the body is too large")]
    BodyTooLarge,
    #[error("the body broke off")]
    BodyIncomplete,
}

/// The request's whole body, of at most `max` bytes. While more of it is coming, `count` is told how many
/// bytes are kept, and may refuse them.
pub(super) async fn body<E: From<ReadError>>(
    mut body: Body,
    max: usize,
    count: impl Fn(usize) -> Result<(), E>,
) -> Result<Bytes, E> {
    let mut read = Vec::new();
    let mut received = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ReadError::BodyIncomplete)?;
        let Some(data) = frame.data_ref() else { continue };
        received = received.saturating_add(data.len());
        if received > max.saturating_mul(DISCARD_FACTOR) {
            return Err(ReadError::BodyTooLarge.into());
        }
        if received <= max {
            if !body.is_end_stream() {
                count(data.len())?;
            }
            read.extend_from_slice(data);
        } else {
            read = Vec::new();
        }
    }
    if received > max { Err(ReadError::BodyTooLarge.into()) } else { Ok(read.into()) }
}

/// The decoded names and values of a query or a form; `None` unless all of it is UTF-8.
pub(super) fn pairs(encoded: &[u8]) -> Option<Vec<(String, String)>> {
    // Separators are ASCII, so the whole is UTF-8 if and only if each name and value is.
    percent_decode(encoded).decode_utf8().ok()?;
    Some(form_urlencoded::parse(encoded).into_owned().collect())
}

/// The URI without surplus slashes, which some clients write: "//" where a path was appended to a
/// base address that ends with a slash, and one at the end. `None` when there are none.
///
/// Elsewhere "//" stays, and matches no route, unless `doubled_anywhere`: it comes from an empty
/// username. So does a slash at the end of a DELETE or PUT: "DELETE /users/" with an empty username
/// must not delete all users.
pub(super) fn trimmed(method: &Method, uri: &Uri, doubled_anywhere: bool) -> Option<Uri> {
    let path = uri.path();
    let mut short = format!("/{}", path.trim_start_matches('/'));
    while doubled_anywhere && short.contains("//") {
        short = short.replace("//", "/");
    }
    if ![Method::DELETE, Method::PUT].contains(method) && short.len() > 1 && short.ends_with('/') {
        short.pop();
    }
    if short == path {
        return None;
    }
    let mut parts = uri.clone().into_parts();
    let rest = uri.query().map_or_else(|| short.clone(), |query| format!("{short}?{query}"));
    parts.path_and_query = Some(rest.try_into().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_decoded_and_must_be_utf8() {
        let read = pairs(b"cursor=MQ%3D%3D&name=a+b&empty=").unwrap();
        let expected = [("cursor", "MQ=="), ("name", "a b"), ("empty", "")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(pairs(b"name=%FF"), None);
        assert_eq!(pairs(b"name=\xff"), None);
        assert_eq!(pairs(b"name=%E5%A5").map(|_| ()), None, "half a character");
        assert_eq!(pairs(b"").unwrap(), []);
    }

    #[test]
    fn surplus_slashes_are_removed_where_no_name_can_be_missing() {
        let trim = |method: Method, uri: &str, anywhere: bool| {
            trimmed(&method, &uri.parse().unwrap(), anywhere).map(|uri| uri.to_string())
        };
        let get = |uri: &str| trim(Method::GET, uri, false);
        assert_eq!(get("/a/b/").as_deref(), Some("/a/b"));
        assert_eq!(get("//a/b/?q=1/").as_deref(), Some("/a/b?q=1/"));
        assert_eq!(get("http://h:1/a/").as_deref(), Some("http://h:1/a"));
        assert_eq!(get("/a//b"), None, "a name is missing");
        assert_eq!(get("/a/b//").as_deref(), Some("/a/b/"), "and here");
        assert_eq!(get("/a/b?q=//"), None);
        assert_eq!(get("/"), None);
        assert_eq!(trim(Method::DELETE, "/o/a/users/", false), None);
        assert_eq!(trim(Method::PUT, "/o/a/users/", false), None);
        assert_eq!(trim(Method::DELETE, "//o/a/users/b", false).as_deref(), Some("/o/a/users/b"));
        let netease = trim(Method::POST, "/nimserver//friend/get.action", true);
        assert_eq!(netease.as_deref(), Some("/nimserver/friend/get.action"));
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_bound() {
        let read = |text: &'static str, max| body(Body::from(text), max, |_| Ok(()));
        assert_eq!(read("12345678", 8).await.unwrap(), "12345678");
        assert_eq!(read("123456789", 8).await, Err(ReadError::BodyTooLarge));
        assert_eq!(read("", 8).await.unwrap(), "");
    }
}
