//! Placeholder text.
