//! The one map from our errors to Easemob's: status, error, exception and description.

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde_json::json;
use time::OffsetDateTime;

use super::answer::render;
use crate::{
    domain::{Credential, Error, Invalid, unix_millis},
    gate::INTERNAL,
    http::read::Unread,
};

/// An error as Easemob tells it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    error: &'static str,
    exception: &'static str,
    description: Cow<'static, str>,
    retry_after: Option<Duration>,
}

impl Refusal {
    fn new(
        status: StatusCode,
        (error, exception): (&'static str, &'static str),
        description: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { status, error, exception, description: description.into(), retry_after: None }
    }

    /// A request that is wrong in itself.
    pub(super) fn illegal(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ILLEGAL, description)
    }

    /// No such app.
    pub(super) fn no_app(key: &str) -> Self {
        let path = key.replacen('#', "/", 1);
        Self::new(StatusCode::NOT_FOUND, NO_APP, format!("Could not find application for {path}"))
    }

    /// The body is no JSON.
    pub(super) fn no_json(why: &serde_json::Error) -> Self {
        Self::new(StatusCode::BAD_REQUEST, NO_JSON, format!("the body is no JSON: {why}"))
    }

    /// A login that asks for something else than a token of the app.
    pub(super) fn invalid_grant(description: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, GRANT, description)
    }

    /// The list of the user for whom friends are imported is full.
    pub(super) fn inviter_is_full() -> Self {
        Self::new(StatusCode::FORBIDDEN, LIMIT, "Inviter's contact max count.")
    }

    /// A body that could not be read.
    pub(super) fn of_body(why: Unread) -> Self {
        match why {
            Unread::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                ("payload_too_large", "EntityTooLargeException"),
                "the body is too large",
            ),
            Unread::Broken => Self::illegal("the body broke off"),
        }
    }

    /// The answer, at this time, to a request that took this long.
    pub(super) fn render(self, now: OffsetDateTime, duration: Duration) -> Response<Body> {
        let body = json!({
            "error": self.error,
            "exception": self.exception,
            "timestamp": unix_millis(now),
            "duration": u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
            "error_description": self.description,
        });
        let mut response = render(self.status, &body);
        if let Some(wait) = self.retry_after {
            // Whole seconds, rounded up: sooner would be refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

/// Pairs of `error` and `exception`, as the vendor has them where it tells both.
const ILLEGAL: (&str, &str) = ("illegal_argument", "java.lang.IllegalArgumentException");
const NO_JSON: (&str, &str) = ("json_parse", "org.codehaus.jackson.JsonParseException");
const NO_APP: (&str, &str) = (
    "organization_application_not_found",
    "org.apache.usergrid.rest.exceptions.OrganizationApplicationNotFoundException",
);
const UNAUTHORIZED: (&str, &str) = ("unauthorized", "EasemobSecurityException");
const GRANT: (&str, &str) =
    ("invalid_grant", "org.apache.usergrid.rest.exceptions.AuthErrorException");
const NOT_FOUND: (&str, &str) = (
    "service_resource_not_found",
    "org.apache.usergrid.services.exceptions.ServiceResourceNotFoundException",
);
const DUPLICATE: (&str, &str) = (
    "duplicate_unique_property_exists",
    "org.apache.usergrid.persistence.exceptions.DuplicateUniquePropertyExistsException",
);
const LIMIT: (&str, &str) = ("exceed_limit", "ExceedLimitException");
const RATE: (&str, &str) = ("reach_limit", "ReachLimitException");
const FORBIDDEN: (&str, &str) = ("forbidden_op", "ForbiddenException");

impl From<Invalid> for Refusal {
    fn from(invalid: Invalid) -> Self {
        Self::illegal(match invalid {
            Invalid::BatchTooLarge { max, .. } => format!("request user over flow limit:{max}."),
            Invalid::PageSize { max } => format!("page size more than max limit : {max}"),
            Invalid::PageToken => "the cursor was not given out for this list".to_owned(),
            other => other.to_string(),
        })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let unavailable = |why: String| Self {
            retry_after: Some(Duration::from_secs(1)),
            ..Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                ("service_unavailable", "ServiceUnavailableException"),
                why,
            )
        };
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::Unauthenticated | Error::TokenScope { .. } => {
                Self::new(StatusCode::UNAUTHORIZED, UNAUTHORIZED, "Unable to authenticate (OAuth)")
            }
            Error::InvalidCredentials(Credential::ClientId) => {
                Self::invalid_grant("client_id does not match")
            }
            Error::InvalidCredentials(Credential::ClientSecret) => {
                Self::invalid_grant("client_secret does not match")
            }
            Error::AppNotFound(key) => Self::no_app(key.as_str()),
            Error::UserNotFound(_) => {
                Self::new(StatusCode::NOT_FOUND, NOT_FOUND, "Service resource not found")
            }
            Error::NotFriends { .. } => {
                Self::illegal("updateRemark they are not friends, please add as a friend first.")
            }
            Error::FriendLimitExceeded { .. } => {
                Self::new(StatusCode::FORBIDDEN, LIMIT, "user contact number exceed limit")
            }
            Error::BlockLimitExceeded { .. } => {
                Self::new(StatusCode::FORBIDDEN, LIMIT, "user block number exceed limit")
            }
            Error::RequestLimitExceeded { .. } | Error::CallbackRuleLimitExceeded { .. } => {
                Self::new(StatusCode::FORBIDDEN, LIMIT, error.to_string())
            }
            Error::RateLimited { retry_after, .. } | Error::LoginThrottled { retry_after } => {
                Self {
                    retry_after: Some(retry_after),
                    ..Self::new(
                        StatusCode::TOO_MANY_REQUESTS,
                        RATE,
                        "This request has reached api limit",
                    )
                }
            }
            Error::UserAlreadyExists(ref username) => Self::new(
                StatusCode::BAD_REQUEST,
                DUPLICATE,
                format!(
                    "Application null Entity user requires that property named username be \
                     unique, value of {username} exists"
                ),
            ),
            Error::AppAlreadyExists(_) => {
                Self::new(StatusCode::BAD_REQUEST, DUPLICATE, error.to_string())
            }
            Error::AlreadyFriends { .. } | Error::Blocked { .. } => {
                Self::new(StatusCode::FORBIDDEN, FORBIDDEN, error.to_string())
            }
            Error::RequestNotFound { .. }
            | Error::CallbackRuleNotFound(_)
            | Error::EventNotFound(_) => {
                Self::new(StatusCode::NOT_FOUND, NOT_FOUND, "Service resource not found")
            }
            Error::Unavailable(_) | Error::Conflict | Error::WatcherTooSlow => {
                unavailable(error.to_string())
            }
            Error::DeadlineExceeded => Self::new(
                StatusCode::GATEWAY_TIMEOUT,
                ("gateway_timeout", "TimeoutException"),
                "the deadline passed",
            ),
            Error::Internal(detail) => {
                tracing::error!(%detail, "internal error");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    ("internal_server_error", "java.lang.RuntimeException"),
                    INTERNAL,
                )
            }
        }
    }
}

/// The path is nobody's.
pub(in crate::http) fn unknown(now: OffsetDateTime) -> Response<Body> {
    let refusal = Refusal::new(StatusCode::NOT_FOUND, NOT_FOUND, "Service resource not found");
    refusal.render(now, Duration::ZERO)
}

/// The path is one of ours, but not with this method.
pub(in crate::http) fn wrong_method(now: OffsetDateTime) -> Response<Body> {
    let refusal = Refusal::new(
        StatusCode::METHOD_NOT_ALLOWED,
        ("method_not_allowed", "MethodNotAllowedException"),
        "the method is not allowed here",
    );
    refusal.render(now, Duration::ZERO)
}
