//! The one map from our errors to gRPC's: code, reason and details.

use std::{collections::HashMap, time::Duration};

use http::HeaderMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    domain::{Error, Invalid, Outage, Scope},
    gate::INTERNAL,
    proto::ErrorReason,
};

/// The `domain` of every ErrorInfo.
pub const DOMAIN: &str = "befriend.v1";

/// When to come back after an outage: long enough for a restart to be under way.
const OUTAGE_RETRY: Duration = Duration::from_secs(1);

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        if let Error::Internal(detail) | Error::PrivilegeMissing(detail) = &error {
            tracing::error!(%detail, "internal error");
        }
        let message = match &error {
            Error::Internal(_) | Error::PrivilegeMissing(_) => INTERNAL.to_owned(),
            // The message does not tell which of the two is wrong.
            Error::InvalidCredentials(_) => "client_id or client_secret does not match".to_owned(),
            other => other.to_string(),
        };
        let (code, reason) = code_and_reason(&error);
        let mut details = ErrorDetails::new();
        details.set_error_info(reason_name(reason), DOMAIN, metadata(&error));
        add_details(&mut details, error);
        Status::with_error_details(code, message, details)
    }
}

impl From<Invalid> for Status {
    fn from(invalid: Invalid) -> Self {
        Error::Invalid(invalid).into()
    }
}

/// The reason of the error that an answer with these headers is; empty if the error is not befriend's.
pub(super) fn reason(headers: &HeaderMap) -> &'static str {
    let info = Status::from_header_map(headers).and_then(|status| status.get_details_error_info());
    let name = info.map(|info| format!("ERROR_REASON_{}", info.reason));
    name.and_then(|name| ErrorReason::from_str_name(&name)).map_or("", reason_name)
}

/// The reason as it goes over the wire: "USER_NOT_FOUND".
fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

fn code_and_reason(error: &Error) -> (Code, ErrorReason) {
    match error {
        Error::Unauthenticated => (Code::Unauthenticated, ErrorReason::Unauthenticated),
        Error::TokenScope { .. } => (Code::PermissionDenied, ErrorReason::TokenScope),
        Error::OperatorRole { .. } => (Code::PermissionDenied, ErrorReason::OperatorRole),
        Error::InvalidCredentials(_) => (Code::Unauthenticated, ErrorReason::InvalidCredentials),
        Error::AppNotFound(_) => (Code::NotFound, ErrorReason::AppNotFound),
        Error::AppAlreadyExists(_) => (Code::AlreadyExists, ErrorReason::AppAlreadyExists),
        Error::OperatorTokenNotFound(_) => (Code::NotFound, ErrorReason::OperatorTokenNotFound),
        Error::OperatorTokenAlreadyExists(_) => {
            (Code::AlreadyExists, ErrorReason::OperatorTokenAlreadyExists)
        }
        Error::UserNotFound(_) => (Code::NotFound, ErrorReason::UserNotFound),
        Error::UserAlreadyExists(_) => (Code::AlreadyExists, ErrorReason::UserAlreadyExists),
        Error::NotFriends { .. } => (Code::FailedPrecondition, ErrorReason::NotFriends),
        Error::FriendLimitExceeded { .. } => {
            (Code::ResourceExhausted, ErrorReason::FriendLimitExceeded)
        }
        Error::BlockLimitExceeded { .. } => {
            (Code::ResourceExhausted, ErrorReason::BlockLimitExceeded)
        }
        Error::AlreadyFriends { .. } => (Code::FailedPrecondition, ErrorReason::AlreadyFriends),
        Error::Blocked { .. } => (Code::FailedPrecondition, ErrorReason::Blocked),
        Error::RequestNotFound { .. } => (Code::NotFound, ErrorReason::FriendRequestNotFound),
        Error::RequestLimitExceeded { .. } => {
            (Code::ResourceExhausted, ErrorReason::FriendRequestLimitExceeded)
        }
        Error::WatcherTooSlow => (Code::Aborted, ErrorReason::WatcherTooSlow),
        Error::CallbackRuleNotFound(_) => (Code::NotFound, ErrorReason::CallbackRuleNotFound),
        Error::CallbackRuleLimitExceeded { .. } => {
            (Code::ResourceExhausted, ErrorReason::CallbackRuleLimitExceeded)
        }
        Error::EventNotFound(_) => (Code::NotFound, ErrorReason::EventNotFound),
        Error::RateLimited { .. } | Error::LoginThrottled { .. } => {
            (Code::ResourceExhausted, ErrorReason::RateLimited)
        }
        Error::Invalid(invalid) => (
            Code::InvalidArgument,
            match invalid {
                Invalid::SelfRelation { .. } => ErrorReason::SelfRelation,
                Invalid::Username { .. } => ErrorReason::InvalidUsername,
                Invalid::Remark { .. } => ErrorReason::InvalidRemark,
                Invalid::Extension { .. } => ErrorReason::InvalidExtension,
                Invalid::PageToken => ErrorReason::InvalidPageToken,
                Invalid::PageSize { .. } => ErrorReason::PageSizeOutOfRange,
                Invalid::VersionAhead { .. } => ErrorReason::VersionAhead,
                Invalid::BatchTooLarge { .. } => ErrorReason::BatchTooLarge,
                Invalid::Argument { .. } => ErrorReason::InvalidArgument,
            },
        ),
        Error::Unavailable(
            Outage::Database
            | Outage::Away
            | Outage::ReadOnly
            | Outage::DiskFull
            | Outage::DuringCommit
            | Outage::Busy
            | Outage::Overloaded
            | Outage::ShuttingDown,
        ) => (Code::Unavailable, ErrorReason::Unavailable),
        Error::Conflict => (Code::Aborted, ErrorReason::Conflict),
        Error::DeadlineExceeded => (Code::DeadlineExceeded, ErrorReason::DeadlineExceeded),
        Error::Internal(_) | Error::PrivilegeMissing(_) => (Code::Internal, ErrorReason::Internal),
    }
}

/// The metadata of an error, with the names that the examples in `error_reason.proto` show.
fn metadata(error: &Error) -> HashMap<String, String> {
    let pairs = match error {
        Error::TokenScope { required: Scope::App } => vec![("required", "app".to_owned())],
        Error::TokenScope { required: Scope::Operator } => {
            vec![("required", "operator".to_owned())]
        }
        Error::OperatorRole { required, held } => {
            vec![("required", required.to_string()), ("role", held.to_string())]
        }
        Error::OperatorTokenNotFound(name) | Error::OperatorTokenAlreadyExists(name) => {
            vec![("name", name.to_string())]
        }
        Error::AppNotFound(key) | Error::AppAlreadyExists(key) => {
            vec![("app_key", key.to_string())]
        }
        Error::UserNotFound(username) | Error::UserAlreadyExists(username) => {
            vec![("username", username.to_string())]
        }
        Error::NotFriends { owner, friend } => {
            vec![("owner", owner.to_string()), ("friend", friend.to_string())]
        }
        Error::FriendLimitExceeded { username, limit }
        | Error::BlockLimitExceeded { username, limit }
        | Error::RequestLimitExceeded { username, limit } => {
            vec![("username", username.to_string()), ("limit", limit.to_string())]
        }
        Error::AlreadyFriends { requester, recipient }
        | Error::RequestNotFound { requester, recipient } => {
            vec![("requester", requester.to_string()), ("recipient", recipient.to_string())]
        }
        Error::Blocked { blocker, blocked } => {
            vec![("blocker", blocker.to_string()), ("blocked", blocked.to_string())]
        }
        Error::CallbackRuleNotFound(rule_id) => vec![("rule_id", rule_id.clone())],
        Error::CallbackRuleLimitExceeded { app, limit } => {
            vec![("app_key", app.to_string()), ("limit", limit.to_string())]
        }
        Error::EventNotFound(event_id) => vec![("event_id", event_id.clone())],
        Error::RateLimited { operation, per_second, .. } => vec![
            ("operation", (*operation).to_owned()),
            ("limit_per_second", per_second.to_string()),
        ],
        Error::Invalid(invalid) => invalid_metadata(invalid),
        Error::Unauthenticated
        | Error::InvalidCredentials(_)
        | Error::LoginThrottled { .. }
        | Error::Unavailable(_)
        | Error::Conflict
        | Error::WatcherTooSlow
        | Error::DeadlineExceeded
        | Error::PrivilegeMissing(_)
        | Error::Internal(_) => vec![],
    };
    pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The metadata of an error of a request that is wrong itself.
fn invalid_metadata(invalid: &Invalid) -> Vec<(&'static str, String)> {
    match invalid {
        Invalid::SelfRelation { username, .. } => vec![("username", username.clone())],
        Invalid::PageSize { max } => {
            vec![("field", "page_size".to_owned()), ("max", max.to_string())]
        }
        Invalid::VersionAhead { version } => {
            vec![("field", "since_version".to_owned()), ("version", version.to_string())]
        }
        Invalid::BatchTooLarge { field, max } => {
            vec![("field", (*field).to_owned()), ("max", max.to_string())]
        }
        Invalid::PageToken => vec![("field", "page_token".to_owned())],
        Invalid::Username { field }
        | Invalid::Remark { field, .. }
        | Invalid::Extension { field, .. }
        | Invalid::Argument { field, .. } => vec![("field", field.clone())],
    }
}

fn add_details(details: &mut ErrorDetails, error: Error) {
    match error {
        Error::AppNotFound(ref key) | Error::AppAlreadyExists(ref key) => {
            details.set_resource_info("befriend.v1.App", key.as_str(), "", error.to_string());
        }
        Error::OperatorTokenNotFound(ref name) | Error::OperatorTokenAlreadyExists(ref name) => {
            let (kind, name) = ("befriend.v1.OperatorToken", name.as_str());
            details.set_resource_info(kind, name, "", error.to_string());
        }
        Error::UserNotFound(ref username) | Error::UserAlreadyExists(ref username) => {
            details.set_resource_info("befriend.v1.User", username.as_str(), "", error.to_string());
        }
        Error::NotFriends { ref owner, ref friend } => {
            let subject = format!("{owner}/{friend}");
            details.add_precondition_failure_violation("NOT_FRIENDS", subject, error.to_string());
        }
        Error::FriendLimitExceeded { ref username, .. }
        | Error::BlockLimitExceeded { ref username, .. }
        | Error::RequestLimitExceeded { ref username, .. } => {
            details.add_quota_failure_violation(format!("user:{username}"), error.to_string());
        }
        Error::AlreadyFriends { ref requester, ref recipient } => {
            let subject = format!("{requester}/{recipient}");
            details.add_precondition_failure_violation(
                "ALREADY_FRIENDS",
                subject,
                error.to_string(),
            );
        }
        Error::Blocked { ref blocker, ref blocked } => {
            let subject = format!("{blocker}/{blocked}");
            details.add_precondition_failure_violation("BLOCKED", subject, error.to_string());
        }
        Error::RequestNotFound { ref requester, ref recipient } => {
            let name = format!("{requester}/{recipient}");
            details.set_resource_info("befriend.v1.FriendRequest", name, "", error.to_string());
        }
        Error::CallbackRuleNotFound(ref id) => {
            let (kind, id) = ("befriend.v1.CallbackRule", id.as_str());
            details.set_resource_info(kind, id, "", error.to_string());
        }
        Error::CallbackRuleLimitExceeded { ref app, .. } => {
            details.add_quota_failure_violation(format!("app:{app}"), error.to_string());
        }
        Error::EventNotFound(ref id) => {
            details.set_resource_info("befriend.v1.Event", id.as_str(), "", error.to_string());
        }
        Error::RateLimited { retry_after, .. } | Error::LoginThrottled { retry_after } => {
            details.set_retry_info(Some(retry_after));
        }
        Error::Unavailable(_) => {
            details.set_retry_info(Some(OUTAGE_RETRY));
        }
        Error::Invalid(invalid) => {
            let (field, why) = violation(invalid);
            details.add_bad_request_violation(field, why);
        }
        Error::Unauthenticated
        | Error::TokenScope { .. }
        | Error::OperatorRole { .. }
        | Error::InvalidCredentials(_)
        | Error::Conflict
        | Error::WatcherTooSlow
        | Error::DeadlineExceeded
        | Error::PrivilegeMissing(_)
        | Error::Internal(_) => {}
    }
}

fn violation(invalid: Invalid) -> (String, String) {
    let whole = invalid.to_string();
    let (field, why) = whole.split_once(": ").unwrap_or(("", &whole));
    (field.to_owned(), why.to_owned())
}
