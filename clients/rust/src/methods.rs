//! What the protos say of each method.

use std::time::Duration;

use http::HeaderMap;

include!("generated/methods.rs");

/// How the method of a path may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// Whether a second call does no harm if the first has happened.
    pub repeatable: bool,
    /// Whether the answer is a stream, which has no deadline.
    pub streams: bool,
    /// Whether the call is made with a token.
    pub with_token: bool,
}

impl Method {
    /// Of a path such as "/befriend.v1.FriendService/AddFriend". A method that the client does not know is not
    /// repeatable.
    pub fn of(path: &str) -> Self {
        Self {
            repeatable: REPEATABLE.binary_search(&path).is_ok(),
            streams: STREAMS.binary_search(&path).is_ok(),
            with_token: path != "/befriend.v1.TokenService/IssueToken",
        }
    }
}

/// The time that a `grpc-timeout` header gives a call.
pub(crate) fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count.saturating_mul(3600)),
        "M" => Duration::from_secs(count.saturating_mul(60)),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_what_their_protos_say() {
        let add = Method::of("/befriend.v1.FriendService/AddFriend");
        assert_eq!(add, Method { repeatable: true, streams: false, with_token: true });
        let send = Method::of("/befriend.v1.FriendService/SendFriendRequest");
        assert_eq!(send, Method { repeatable: false, streams: false, with_token: true });
        let watch = Method::of("/befriend.v1.FriendService/WatchFriends");
        assert_eq!(watch, Method { repeatable: true, streams: true, with_token: true });
        let login = Method::of("/befriend.v1.TokenService/IssueToken");
        assert_eq!(login, Method { repeatable: false, streams: false, with_token: false });
        assert!(!Method::of("/befriend.v1.FriendService/Unknown").repeatable);
    }

    #[test]
    fn a_timeout_is_read_in_each_unit() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", text.parse().expect("a header"));
            timeout(&headers)
        };
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(read("3M"), Some(Duration::from_secs(180)));
        assert_eq!(read("5u"), Some(Duration::from_micros(5)));
        for wrong in ["", "S", "2", "2x", "-1S"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
