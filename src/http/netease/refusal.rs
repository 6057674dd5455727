//! The one map from our errors to NetEase's: a code, and the reason in words.

use axum::{body::Body, http::Response, response::IntoResponse};
use serde_json::json;

use super::{Form, render};
use crate::{
    domain::{Error, Invalid},
    gate::INTERNAL,
    http::read::Unread,
};

/// An error as NetEase tells it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: u16,
    /// Left out when empty.
    desc: String,
    /// The app has just gone over its rate.
    pub(super) over_rate: bool,
}

impl Refusal {
    fn new(code: u16, desc: impl Into<String>) -> Self {
        Self { code, desc: desc.into(), over_rate: false }
    }

    /// What the vendor answers when two users are no friends: a code and no reason.
    pub(super) fn no_friends() -> Self {
        Self::new(404, "")
    }

    /// A request that is wrong in itself.
    pub(super) fn parameter(desc: impl Into<String>) -> Self {
        Self::new(414, desc)
    }

    /// The app went over its rate a moment ago.
    pub(super) fn shut_out(left: time::Duration) -> Self {
        let seconds = left.whole_seconds() + 1;
        Self::new(416, format!("over the rate: the app is refused for {seconds} s more"))
    }

    /// A body that could not be read.
    pub(super) fn of_body(why: Unread) -> Self {
        Self::parameter(match why {
            Unread::TooLarge => "the body is too large",
            Unread::Broken => "the body broke off",
        })
    }
}

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::parameter(match invalid {
            // The operations call the members by other names.
            Invalid::SelfRelation { username, .. } => {
                format!("{username} can't have a relation to themselves")
            }
            Invalid::Username { field } => {
                format!("{field}: must be 1-{} bytes of a-z 0-9 _ . - @", Form::MAX_ACCID)
            }
            other => other.to_string(),
        })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let over_rate = matches!(error, Error::RateLimited { .. });
        let code = match &error {
            Error::Unauthenticated | Error::InvalidCredentials(_) => 414,
            Error::TokenScope { .. } | Error::AppNotFound(_) => 403,
            Error::AlreadyFriends { .. } | Error::Blocked { .. } => 403,
            Error::UserNotFound(_) | Error::NotFriends { .. } | Error::RequestNotFound { .. } => {
                404
            }
            Error::CallbackRuleNotFound(_) | Error::EventNotFound(_) => 404,
            Error::DeadlineExceeded => 408,
            Error::Invalid(_) | Error::UserAlreadyExists(_) | Error::AppAlreadyExists(_) => 414,
            Error::RateLimited { .. } | Error::LoginThrottled { .. } => 416,
            Error::FriendLimitExceeded { .. }
            | Error::BlockLimitExceeded { .. }
            | Error::RequestLimitExceeded { .. }
            | Error::CallbackRuleLimitExceeded { .. } => 419,
            Error::Unavailable(_) | Error::Conflict | Error::WatcherTooSlow => 503,
            Error::Internal(_) => 500,
        };
        let desc = match error {
            Error::Invalid(invalid) => return invalid.into(),
            Error::Internal(detail) => {
                tracing::error!(%detail, "internal error");
                INTERNAL.to_owned()
            }
            // The vendor's own words.
            Error::UserAlreadyExists(_) => "already register".to_owned(),
            other => other.to_string(),
        };
        Self { over_rate, ..Self::new(code, desc) }
    }
}

impl IntoResponse for &Refusal {
    fn into_response(self) -> Response<Body> {
        let mut answer = json!({ "code": self.code });
        if !self.desc.is_empty() {
            answer["desc"] = self.desc.as_str().into();
        }
        render(&answer)
    }
}

/// The path is nobody's.
pub(in crate::http) fn unknown() -> Response<Body> {
    (&Refusal::new(404, "there is no such call")).into_response()
}

/// The path is one of ours, but not with this method.
pub(in crate::http) fn wrong_method() -> Response<Body> {
    (&Refusal::parameter("the method must be POST")).into_response()
}
