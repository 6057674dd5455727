//! Settings that are refused at the start.

/// A setting that contradicts another one, or a value that an error message of clap must not show.
#[derive(Debug, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct SettingError {
    setting: &'static str,
    why: String,
}

/// An error if `accepted` is false.
pub(super) fn require(
    accepted: bool,
    setting: &'static str,
    why: impl Into<String>,
) -> Result<(), SettingError> {
    if accepted { Ok(()) } else { Err(SettingError { setting, why: why.into() }) }
}
