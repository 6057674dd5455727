//! What a command returns when it fails: any error, printed with its causes before the process ends.

pub(super) type CommandError = Box<dyn std::error::Error + Send + Sync>;
