//! The HTTP surfaces, as their clients see them.

mod easemob_golden;
mod easemob_limits;
mod easemob_pages;
mod golden;
