//! Settings of the log.

use clap::{Args, ValueEnum};

use super::values::log_filter;

/// The format of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// What is logged, and how.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub struct LogArgs {
    /// The format of the log.
    #[arg(long, env = "BEFRIEND_LOG_FORMAT", value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What to log: a level, or levels by module, as "info,befriend::ops=debug".
    #[arg(long, env = "BEFRIEND_LOG", value_name = "FILTER", default_value = "info", value_parser = log_filter)]
    pub log: String,
}
