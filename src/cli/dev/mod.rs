//! For development only: the demo app of `--demo`, and a receiver of callbacks that prints them.

pub mod demo;
pub mod receiver;
