//! The one map from befriend's errors to NetEase's: a code and a description.

use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use serde_json::{Value, json};

use crate::{
    domain::{Error, Invalid},
    gate::INTERNAL,
    http::{json, read::ReadError},
};

/// The longest accid, in bytes.
pub(super) const MAX_ACCID: usize = 32;

/// An error in NetEase's form.
#[derive(Clone, Debug)]
pub(in crate::http) struct NetEaseError {
    pub(super) code: u16,
    /// Left out of the response when empty.
    desc: String,
    /// Whether this request exceeded the app's rate.
    pub(super) over_rate: bool,
}

impl NetEaseError {
    fn new(code: u16, desc: impl Into<String>) -> Self {
        Self { code, desc: desc.into(), over_rate: false }
    }

    /// Two users are not friends: the vendor gives a code and no description.
    pub(super) fn not_friends() -> Self {
        Self::new(404, "")
    }

    /// The request itself is wrong.
    pub(super) fn parameter(desc: impl Into<String>) -> Self {
        Self::new(414, desc)
    }

    /// The app exceeded its rate a moment ago, and is refused for a while.
    pub(super) fn penalized(left: time::Duration) -> Self {
        let seconds = left.whole_seconds() + 1;
        Self::new(416, format!("over the rate: the app is refused for {seconds} s more"))
    }

    /// No route has the path.
    pub(super) fn not_found() -> Self {
        Self::new(404, "there is no such call")
    }

    /// The path has a route, but not with this method.
    pub(super) fn method_not_allowed() -> Self {
        Self::parameter("the method must be POST")
    }

    pub(super) fn response(&self) -> Response<Body> {
        let mut body = json!({ "code": self.code });
        if !self.desc.is_empty() {
            body["desc"] = self.desc.as_str().into();
        }
        response(&body)
    }
}

/// A response: its HTTP status is 200 for errors too.
pub(super) fn response(body: &Value) -> Response<Body> {
    json::response(StatusCode::OK, "application/json; charset=utf-8", body)
}

impl From<ReadError> for NetEaseError {
    fn from(error: ReadError) -> Self {
        Self::parameter(error.to_string())
    }
}

impl From<Invalid> for NetEaseError {
    fn from(invalid: Invalid) -> Self {
        Self::parameter(match invalid {
            // The form's members have other names than the operations' arguments.
            Invalid::SelfRelation { username, .. } => {
                format!("{username} can't have a relation to themselves")
            }
            Invalid::Username { field } => {
                format!("{field}: must be 1-{MAX_ACCID} bytes of a-z 0-9 _ . - @")
            }
            other => other.to_string(),
        })
    }
}

impl From<Error> for NetEaseError {
    fn from(error: Error) -> Self {
        let over_rate = matches!(error, Error::RateLimited { .. });
        let code = match &error {
            Error::Unauthenticated | Error::InvalidCredentials(_) => 414,
            Error::TokenScope { .. } | Error::OperatorRole { .. } | Error::AppNotFound(_) => 403,
            Error::AlreadyFriends { .. } | Error::Blocked { .. } => 403,
            Error::UserNotFound(_) | Error::NotFriends { .. } | Error::RequestNotFound { .. } => {
                404
            }
            Error::CallbackRuleNotFound(_)
            | Error::EventNotFound(_)
            | Error::OperatorTokenNotFound(_) => 404,
            Error::DeadlineExceeded => 408,
            Error::Invalid(_)
            | Error::UserAlreadyExists(_)
            | Error::AppAlreadyExists(_)
            | Error::OperatorTokenAlreadyExists(_) => 414,
            Error::RateLimited { .. } | Error::LoginThrottled { .. } => 416,
            Error::FriendLimitExceeded { .. }
            | Error::BlockLimitExceeded { .. }
            | Error::RequestLimitExceeded { .. }
            | Error::CallbackRuleLimitExceeded { .. } => 419,
            Error::Unavailable(_) | Error::Conflict | Error::WatcherTooSlow => 503,
            Error::Internal(_) | Error::PrivilegeMissing(_) => 500,
        };
        let desc = match error {
            Error::Invalid(invalid) => return invalid.into(),
            Error::Internal(detail) | Error::PrivilegeMissing(detail) => {
                tracing::error!(%detail, "internal error");
                INTERNAL.to_owned()
            }
            // The vendor's wording.
            Error::UserAlreadyExists(_) => "already register".to_owned(),
            other => other.to_string(),
        };
        Self { over_rate, ..Self::new(code, desc) }
    }
}
