//! What a server of the database is: whether it takes writes, and if not, why.

/// What a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It takes writes.
    Primary,
    /// It follows another server.
    Standby,
    /// It was made read-only.
    ReadOnly,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Primary, Self::Standby, Self::ReadOnly];

    /// The role as a word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Standby => "standby",
            Self::ReadOnly => "read-only",
        }
    }
}
