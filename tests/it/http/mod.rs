//! The HTTP surfaces, as their clients see them.

mod easemob_access;
mod easemob_clients;
mod easemob_errors;
mod easemob_golden;
mod easemob_hostile;
mod easemob_limits;
mod easemob_pages;
mod golden;
mod netease_answers;
mod netease_auth;
mod netease_codes;
mod netease_credentials;
mod netease_friends;
#[cfg(target_os = "linux")]
mod netease_kept_key;
mod netease_odd;
mod netease_users;
mod openapi;
mod same_story;
