//! Reading requests: paths, queries, forms and bodies, as odd clients send them.

use axum::{
    body::{Body, Bytes},
    http::{Method, Uri},
};
use http_body_util::BodyExt as _;
use percent_encoding::percent_decode;

/// How many times the largest body is read and thrown away when a body is too large: a client that is
/// cut off while it writes never sees why.
const PATIENCE: usize = 16;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is larger than allowed.
    TooLarge,
    /// It broke off.
    Broken,
}

/// The request's whole body, of at most `max` bytes.
pub(super) async fn body(mut body: Body, max: usize) -> Result<Bytes, Unread> {
    let mut read = Vec::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Unread::Broken)?;
        let Some(data) = frame.data_ref() else { continue };
        seen = seen.saturating_add(data.len());
        if seen > max.saturating_mul(PATIENCE) {
            return Err(Unread::TooLarge);
        }
        if seen <= max {
            read.extend_from_slice(data);
        } else {
            read = Vec::new();
        }
    }
    if seen > max { Err(Unread::TooLarge) } else { Ok(read.into()) }
}

/// The members of a query or a form, decoded; nothing when they are not UTF-8.
pub(super) fn pairs(encoded: &[u8]) -> Option<Vec<(String, String)>> {
    // Separators are ASCII, so the whole is UTF-8 if and only if each part is.
    percent_decode(encoded).decode_utf8().ok()?;
    Some(form_urlencoded::parse(encoded).into_owned().collect())
}

/// The same URI without the slashes too many that some clients write: doubled ones where a path was
/// put behind an address that ends with one, and one at the end.
///
/// Nobody's name is empty, so a doubled slash elsewhere stays, and is on no route; as does the one at
/// the end where something would be deleted or put: "/users/" without a name must not mean all users.
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
    fn members_are_decoded_and_must_be_utf8() {
        let read = pairs(b"cursor=MQ%3D%3D&name=a+b&empty=").unwrap();
        let expected = [("cursor", "MQ=="), ("name", "a b"), ("empty", "")];
        assert_eq!(read, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(pairs(b"name=%FF"), None);
        assert_eq!(pairs(b"name=\xff"), None);
        assert_eq!(pairs(b"name=%E5%A5").map(|_| ()), None, "half a character");
        assert_eq!(pairs(b"").unwrap(), []);
    }

    #[test]
    fn slashes_too_many_go_where_no_name_can_be_missing() {
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
        assert_eq!(body(Body::from("12345678"), 8).await.unwrap(), "12345678");
        assert_eq!(body(Body::from("123456789"), 8).await, Err(Unread::TooLarge));
        assert_eq!(body(Body::empty(), 8).await.unwrap(), "");
    }
}
