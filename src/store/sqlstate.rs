//! The answer to each of Postgres' error codes (SQLSTATE): the table of its manual's appendix A, class by
//! class. It does not know what a statement was for.

/// What an error code means for the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Another transaction was in the way. The transaction did nothing, and may run again.
    Collision,
    /// The statement took longer than the caller waits.
    Cancelled,
    /// The connection is gone, or of no use any more. Another connection may do.
    ConnectionLost,
    /// The server refuses connections of this service: role, password, database.
    Refused,
    /// The server takes no writes: it is a standby, or was made read-only.
    ReadOnly,
    /// The server's disk is full.
    DiskFull,
    /// The server lacks memory, connections or another resource at the moment.
    Busy,
    /// The request contains a character that the database can't keep.
    BadCharacter,
    /// The role lacks a privilege.
    Privilege,
    /// The statement is wrong, or the data is damaged: nothing that the caller could do or wait for.
    Ours,
}

impl Meaning {
    /// All of them.
    pub(super) const ALL: [Self; 10] = [
        Self::Collision,
        Self::Cancelled,
        Self::ConnectionLost,
        Self::Refused,
        Self::ReadOnly,
        Self::DiskFull,
        Self::Busy,
        Self::BadCharacter,
        Self::Privilege,
        Self::Ours,
    ];

    /// The meaning as a word.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Collision => "collision",
            Self::Cancelled => "cancelled",
            Self::ConnectionLost => "connection lost",
            Self::Refused => "refused",
            Self::ReadOnly => "read-only",
            Self::DiskFull => "disk full",
            Self::Busy => "busy",
            Self::BadCharacter => "bad character",
            Self::Privilege => "privilege",
            Self::Ours => "internal",
        }
    }
}

/// The meaning of a code: five characters, of which the first two are the class.
pub(super) fn meaning(code: &str) -> Meaning {
    match code {
        // Codes that differ from the rest of their class.
        // character_not_in_repertoire, untranslatable_character
        "22021" | "22P05" => Meaning::BadCharacter,
        // read_only_sql_transaction
        "25006" => Meaning::ReadOnly,
        // idle_in_transaction_session_timeout, transaction_timeout: the server has closed the session.
        "25P03" | "25P04" => Meaning::ConnectionLost,
        // transaction_integrity_constraint_violation
        "40002" => Meaning::Ours,
        // statement_completion_unknown
        "40003" => Meaning::ConnectionLost,
        // disk_full
        "53100" => Meaning::DiskFull,
        // insufficient_privilege
        "42501" => Meaning::Privilege,
        // object_in_use, lock_not_available
        "55006" | "55P03" => Meaning::Collision,
        // query_canceled: only a statement_timeout cancels the service's statements.
        "57014" => Meaning::Cancelled,
        // undefined_file, duplicate_file, file_name_too_long: a damaged data folder.
        "58P01" | "58P02" | "58P03" => Meaning::Ours,
        _ => class_meaning(code.get(..2).unwrap_or_default()),
    }
}

fn class_meaning(class: &str) -> Meaning {
    match class {
        // Connection exception; operator intervention (admin_shutdown, crash_shutdown,
        // cannot_connect_now, idle_session_timeout, …); system error (a disk that fails); configuration
        // file error.
        "08" | "57" | "58" | "F0" => Meaning::ConnectionLost,
        // Invalid authorization; invalid catalog name, which means that the database does not exist.
        "28" | "3D" => Meaning::Refused,
        // Transaction rollback; snapshot failure.
        "40" | "72" => Meaning::Collision,
        // Insufficient resources: memory, connections, a configured limit.
        "53" => Meaning::Busy,
        // Success, warnings, and everything that says that a statement or the data is wrong. Requests
        // are checked before, so that none of these is the caller's fault.
        _ => Meaning::Ours,
    }
}
