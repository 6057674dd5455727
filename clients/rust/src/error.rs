//! A refused or failed call, with what the service says of it.

use std::{collections::HashMap, fmt, time::Duration};

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::proto::ErrorReason;

/// A call that failed. [`Error::reason`] tells which of the documented errors it is.
#[derive(Clone, Debug)]
pub struct Error {
    status: Status,
    reason: Option<ErrorReason>,
    metadata: HashMap<String, String>,
}

impl Error {
    /// The gRPC code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.status.code()
    }

    /// The reason, if the error is the service's own. None if the service was not reached, if the error is of
    /// something in between, or if the service is newer than this client and has a reason that the client does not
    /// know.
    #[must_use]
    pub fn reason(&self) -> Option<ErrorReason> {
        self.reason
    }

    /// What the error is about, by name, as `proto/befriend/v1/error_reason.proto` lists it for each reason: for
    /// USER_NOT_FOUND it has "username".
    #[must_use]
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.metadata
    }

    /// How long to wait before the call may be made again, if the service says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        retry_after(&self.status)
    }

    /// The status with all its details.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.status
    }
}

/// The time in the RetryInfo of a status.
pub(crate) fn retry_after(status: &Status) -> Option<Duration> {
    status.get_details_retry_info()?.retry_delay
}

/// The reason in the ErrorInfo of a status, if the service itself has written it.
pub(crate) fn reason(status: &Status) -> Option<ErrorReason> {
    let info = status.get_details_error_info().filter(|info| info.domain == "befriend.v1")?;
    ErrorReason::from_str_name(&format!("ERROR_REASON_{}", info.reason))
}

impl From<Status> for Error {
    fn from(status: Status) -> Self {
        let reason = reason(&status);
        let metadata = status.get_details_error_info().map(|info| info.metadata);
        Self { status, reason, metadata: metadata.unwrap_or_default() }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        error.status
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            Some(reason) => {
                let name = reason.as_str_name();
                let name = name.strip_prefix("ERROR_REASON_").unwrap_or(name);
                write!(f, "{name}: {}", self.status.message())
            }
            None => write!(f, "{}: {}", self.status.code(), self.status.message()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.status)
    }
}
