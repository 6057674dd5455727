//! For development only: the demo app of `--demo`, and a receiver of callbacks that prints them.

pub(super) mod demo;
pub(super) mod receiver;
