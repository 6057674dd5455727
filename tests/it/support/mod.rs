//! What the stories stand on.

pub mod app;
pub mod binary;
pub mod by_json;
pub mod certificates;
pub mod connect;
#[cfg(feature = "docker-tests")]
pub mod container;
pub mod easemob;
pub mod follow;
pub mod http;
pub mod invariants;
pub mod netease;
pub mod operators;
pub mod otlp;
pub mod postgres;
// Looks at processes through /proc.
#[cfg(target_os = "linux")]
pub mod process;
pub mod proxy;
pub mod race;
pub mod raw;
pub mod receiver;
pub mod requests;
pub mod scrape;
pub mod tenant;
pub mod wire;

pub use app::{Tenant, TestApp};

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

/// The reason and the details of an error, after a look that code and reason are as expected.
#[track_caller]
pub fn expect_error<T: std::fmt::Debug>(
    answer: Result<T, Status>,
    code: Code,
    reason: &str,
) -> ErrorDetails {
    let status = answer.expect_err("the call should have been refused");
    let details = status.get_error_details();
    let info = details.error_info().cloned();
    let info = info.unwrap_or_else(|| panic!("{status:?} carries no ErrorInfo"));
    assert_eq!(
        (status.code(), info.reason.as_str(), info.domain.as_str()),
        (code, reason, "befriend.v1"),
        "{}",
        status.message()
    );
    details
}

/// A member of the ErrorInfo's metadata.
#[track_caller]
pub fn metadata<'a>(details: &'a ErrorDetails, key: &str) -> &'a str {
    let info = details.error_info().expect("every error carries an ErrorInfo");
    info.metadata.get(key).unwrap_or_else(|| panic!("no {key} in {:?}", info.metadata))
}
