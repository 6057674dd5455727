//! The one map from befriend's errors to Easemob's: status, error, exception and description.

use std::{borrow::Cow, time::Duration};

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
};
use serde_json::json;

use crate::{
    domain::{Credential, Error, Invalid},
    gate::INTERNAL,
    http::{
        handler::Received,
        json,
        read::ReadError,
        schema::{Schema, closed_object, integer, milliseconds, string},
    },
};

/// An error in Easemob's form.
#[derive(Debug)]
pub(in crate::http) struct EasemobError {
    kind: Kind,
    description: Cow<'static, str>,
    retry_after: Option<Duration>,
}

/// The status, `error` and `exception` of an error.
type Kind = (StatusCode, &'static str, &'static str);

// The vendor's own, where its documents give all three.
const ILLEGAL_ARGUMENT: Kind =
    (StatusCode::BAD_REQUEST, "illegal_argument", "java.lang.IllegalArgumentException");
const NOT_JSON: Kind =
    (StatusCode::BAD_REQUEST, "json_parse", "org.codehaus.jackson.JsonParseException");
const INVALID_GRANT: Kind = (
    StatusCode::BAD_REQUEST,
    "invalid_grant",
    "org.apache.usergrid.rest.exceptions.AuthErrorException",
);
const DUPLICATE: Kind = (
    StatusCode::BAD_REQUEST,
    "duplicate_unique_property_exists",
    "org.apache.usergrid.persistence.exceptions.DuplicateUniquePropertyExistsException",
);
const UNAUTHORIZED: Kind = (StatusCode::UNAUTHORIZED, "unauthorized", "EasemobSecurityException");
const LIMIT: Kind = (StatusCode::FORBIDDEN, "exceed_limit", "ExceedLimitException");
const FORBIDDEN: Kind = (StatusCode::FORBIDDEN, "forbidden_op", "ForbiddenException");
const NO_APP: Kind = (
    StatusCode::NOT_FOUND,
    "organization_application_not_found",
    "org.apache.usergrid.rest.exceptions.OrganizationApplicationNotFoundException",
);
const NOT_FOUND: Kind = (
    StatusCode::NOT_FOUND,
    "service_resource_not_found",
    "org.apache.usergrid.services.exceptions.ServiceResourceNotFoundException",
);
const METHOD_NOT_ALLOWED: Kind =
    (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "MethodNotAllowedException");
const TOO_LARGE: Kind =
    (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", "EntityTooLargeException");
const RATE: Kind = (StatusCode::TOO_MANY_REQUESTS, "reach_limit", "ReachLimitException");
const INTERNAL_ERROR: Kind =
    (StatusCode::INTERNAL_SERVER_ERROR, "internal_server_error", "java.lang.RuntimeException");
const UNAVAILABLE: Kind =
    (StatusCode::SERVICE_UNAVAILABLE, "service_unavailable", "ServiceUnavailableException");
const TIMEOUT: Kind = (StatusCode::GATEWAY_TIMEOUT, "gateway_timeout", "TimeoutException");

impl EasemobError {
    fn new(kind: Kind, description: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, description: description.into(), retry_after: None }
    }

    /// The request itself is wrong.
    pub(super) fn illegal_argument(description: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ILLEGAL_ARGUMENT, description)
    }

    /// There is no such app.
    pub(super) fn no_app(org: &str, app: &str) -> Self {
        Self::new(NO_APP, format!("Could not find application for {org}/{app}"))
    }

    /// The body is not JSON.
    pub(super) fn not_json(why: &serde_json::Error) -> Self {
        Self::new(NOT_JSON, format!("the body is not JSON: {why}"))
    }

    /// The friend list of the user for whom friends are imported is full.
    pub(super) fn inviter_is_full() -> Self {
        Self::new(LIMIT, "Inviter's contact max count.")
    }

    /// There is no such user, or no such route.
    pub(super) fn not_found() -> Self {
        Self::new(NOT_FOUND, "Service resource not found")
    }

    /// The path has routes, but none with this method.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(METHOD_NOT_ALLOWED, "the method is not allowed here")
    }

    /// What Easemob calls the error.
    pub(super) fn name(&self) -> &'static str {
        self.kind.1
    }

    /// The response to a request that was received then.
    pub(super) fn response(self, received: Received) -> Response<Body> {
        let (status, error, exception) = self.kind;
        let body = json!({
            "error": error,
            "exception": exception,
            "timestamp": received.timestamp(),
            "duration": received.duration(),
            "error_description": self.description,
        });
        let mut response = json::response(status, "application/json", &body);
        if let Some(wait) = self.retry_after {
            // In whole seconds, rounded up: an earlier retry would be refused again.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            let bearer = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

impl From<ReadError> for EasemobError {
    fn from(error: ReadError) -> Self {
        let kind = match error {
            ReadError::BodyTooLarge => TOO_LARGE,
            ReadError::Path | ReadError::Query | ReadError::BodyIncomplete => ILLEGAL_ARGUMENT,
        };
        Self::new(kind, error.to_string())
    }
}

impl From<Invalid> for EasemobError {
    fn from(invalid: Invalid) -> Self {
        Self::illegal_argument(match invalid {
            Invalid::BatchTooLarge { max, .. } => format!("request user over flow limit:{max}."),
            Invalid::PageSize { max } => format!("page size more than max limit : {max}"),
            Invalid::PageToken => "the cursor was not given out for this list".to_owned(),
            other => other.to_string(),
        })
    }
}

impl From<Error> for EasemobError {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(invalid) => invalid.into(),
            Error::Unauthenticated | Error::TokenScope { .. } | Error::OperatorRole { .. } => {
                Self::new(UNAUTHORIZED, "Unable to authenticate (OAuth)")
            }
            Error::InvalidCredentials(Credential::ClientId) => {
                Self::new(INVALID_GRANT, "client_id does not match")
            }
            Error::InvalidCredentials(Credential::ClientSecret) => {
                Self::new(INVALID_GRANT, "client_secret does not match")
            }
            Error::AppNotFound(key) => Self::no_app(key.org(), key.app()),
            Error::UserNotFound(_)
            | Error::RequestNotFound { .. }
            | Error::CallbackRuleNotFound(_)
            | Error::EventNotFound(_)
            | Error::OperatorTokenNotFound(_) => Self::not_found(),
            Error::NotFriends { .. } => Self::illegal_argument(
                "updateRemark they are not friends, please add as a friend first.",
            ),
            Error::FriendLimitExceeded { .. } => {
                Self::new(LIMIT, "user contact number exceed limit")
            }
            Error::BlockLimitExceeded { .. } => Self::new(LIMIT, "user block number exceed limit"),
            Error::RequestLimitExceeded { .. } | Error::CallbackRuleLimitExceeded { .. } => {
                Self::new(LIMIT, error.to_string())
            }
            Error::RateLimited { retry_after, .. } | Error::LoginThrottled { retry_after } => {
                let error = Self::new(RATE, "This request has reached api limit");
                Self { retry_after: Some(retry_after), ..error }
            }
            Error::UserAlreadyExists(username) => {
                let description = format!(
                    "Application null Entity user requires that property named username be \
                     unique, value of {username} exists"
                );
                Self::new(DUPLICATE, description)
            }
            Error::AppAlreadyExists(_) | Error::OperatorTokenAlreadyExists(_) => {
                Self::new(DUPLICATE, error.to_string())
            }
            Error::AlreadyFriends { .. } | Error::Blocked { .. } => {
                Self::new(FORBIDDEN, error.to_string())
            }
            Error::Unavailable(_) | Error::Conflict | Error::WatcherTooSlow => {
                let error = Self::new(UNAVAILABLE, error.to_string());
                Self { retry_after: Some(Duration::from_secs(1)), ..error }
            }
            Error::DeadlineExceeded => Self::new(TIMEOUT, "the deadline passed"),
            Error::Internal(detail) | Error::PrivilegeMissing(detail) => {
                tracing::error!(%detail, "internal error");
                Self::new(INTERNAL_ERROR, INTERNAL)
            }
        }
    }
}

/// The body of every error.
pub(super) fn error_schema() -> Schema {
    closed_object([
        ("error", string()),
        ("exception", string()),
        ("timestamp", milliseconds()),
        ("duration", duration_schema()),
        ("error_description", string().with("minLength", 1)),
    ])
    .described("What went wrong: rely on the status, error and error_description.")
    .named("Error")
}

/// How long a request took.
pub(super) fn duration_schema() -> Schema {
    let duration = integer().with("minimum", 0);
    duration.described("How long the request took, in milliseconds.").named("Duration")
}
