//! Settings that are refused at the start.

use std::borrow::Cow;

/// A setting that contradicts another one, or a value that an error message of clap must not show.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct SettingError {
    setting: Cow<'static, str>,
    why: String,
}

impl SettingError {
    /// A setting can't be used.
    pub(super) fn new(setting: impl Into<Cow<'static, str>>, why: impl Into<String>) -> Self {
        Self { setting: setting.into(), why: why.into() }
    }
}

/// An error if `accepted` is false.
pub(super) fn require(
    accepted: bool,
    setting: &'static str,
    why: impl Into<String>,
) -> Result<(), SettingError> {
    if accepted { Ok(()) } else { Err(SettingError::new(setting, why)) }
}
