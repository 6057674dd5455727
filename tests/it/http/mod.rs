//! The HTTP surfaces, as their clients see them.

mod easemob_access;
mod easemob_clients;
mod easemob_errors;
mod easemob_golden;
mod easemob_hostile;
mod easemob_limits;
mod easemob_pages;
mod golden;
