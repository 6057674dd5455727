//! A session with the server in as few lines as possible: enough to see that it accepts connections and to create the
//! service's role and database.
//!
//! Spoken directly (protocol 3.0, trust authentication) because `psql` and `createdb` are not always installed beside
//! the server, and so that the same code serves a first start and a joining one.

use std::{
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    time::Duration,
};

use super::{
    cluster::{Cluster, SUPERUSER},
    deadline::Deadline,
    error::StartError,
    layout::{Layout, socket_file},
};

/// The service's role: may create databases, is no superuser.
pub(super) const ROLE: &str = "befriend";

/// NAMEDATALEN - 1; Postgres would cut a longer name silently.
const LONGEST_NAME: usize = 63;

/// Every answer here is a few hundred bytes.
const LONGEST_MESSAGE: u32 = 1 << 20;

const CANNOT_CONNECT_NOW: &str = "57P03";
const INVALID_AUTHORIZATION: &str = "28000";
const INVALID_CATALOG_NAME: &str = "3D000";
const DUPLICATE_OBJECT: &str = "42710";
const DUPLICATE_DATABASE: &str = "42P04";

pub(super) fn check_database_name(name: &str) -> Result<(), StartError> {
    if name.is_empty() || name.len() > LONGEST_NAME || name.contains('\0') {
        return Err(StartError::DatabaseName(name.to_owned()));
    }
    Ok(())
}

/// Logs in as the service will; creates the role and the database if that is what is missing.
pub(super) fn ensure_database(
    cluster: &Cluster,
    database: &str,
    layout: &Layout,
    deadline: Deadline,
) -> Result<(), StartError> {
    loop {
        let problem = match Session::open(cluster, ROLE, database) {
            Ok(_) => return Ok(()),
            // A server that recovers from a crashed backend; it comes back by itself.
            Err(Problem::Server { code, .. }) if code == CANNOT_CONNECT_NOW => {
                if deadline.pause() {
                    continue;
                }
                return Err(layout.timeout("Postgres to accept connections", deadline, 0));
            }
            Err(Problem::Server { code, .. })
                if [INVALID_AUTHORIZATION, INVALID_CATALOG_NAME].contains(&&*code) =>
            {
                create(cluster, database)
                    .and_then(|()| Session::open(cluster, ROLE, database).map(drop))
                    .err()
            }
            Err(problem) => Some(problem),
        };
        return match problem {
            None => Ok(()),
            Some(problem) => Err(StartError::Database {
                database: database.to_owned(),
                reason: problem.to_string(),
            }),
        };
    }
}

fn create(cluster: &Cluster, database: &str) -> Result<(), Problem> {
    let mut session = Session::open(cluster, SUPERUSER, "postgres")?;
    let name = database.replace('"', "\"\"");
    for (statement, exists_already) in [
        (format!("create role {ROLE} login createdb"), DUPLICATE_OBJECT),
        (format!("create database \"{name}\" owner {ROLE}"), DUPLICATE_DATABASE),
    ] {
        match session.execute(&statement) {
            Err(Problem::Server { code, .. }) if code == exists_already => {}
            result => result?,
        }
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum Problem {
    #[error("the connection broke: {0}")]
    Connection(#[from] io::Error),
    #[error("{message} (SQLSTATE {code})")]
    Server { code: String, message: String },
}

struct Session {
    stream: UnixStream,
}

impl Session {
    fn open(cluster: &Cluster, role: &str, database: &str) -> Result<Self, Problem> {
        let stream = UnixStream::connect(socket_file(&cluster.socket_folder))?;
        // Creating a database copies a template of 7 MB; a minute is beyond every slow disk.
        stream.set_read_timeout(Some(Duration::from_mins(1)))?;
        let mut session = Self { stream };
        let protocol = (3_u32 << 16).to_be_bytes();
        session.send(
            None,
            &[&protocol, b"user\0", role.as_bytes(), b"\0database\0", database.as_bytes(), b"\0\0"],
        )?;
        session.until_ready()?;
        Ok(session)
    }

    fn execute(&mut self, statement: &str) -> Result<(), Problem> {
        self.send(Some(b'Q'), &[statement.as_bytes(), b"\0"])?;
        self.until_ready()
    }

    fn send(&mut self, kind: Option<u8>, parts: &[&[u8]]) -> io::Result<()> {
        let body = parts.concat();
        let length = u32::try_from(body.len() + 4).expect("names and statements are short");
        let mut message: Vec<u8> = kind.into_iter().collect();
        message.extend(length.to_be_bytes());
        message.extend(body);
        self.stream.write_all(&message)
    }

    /// Reads up to "ready for query"; the first error on the way is the result. After a failed login the server
    /// closes the connection without getting ready.
    fn until_ready(&mut self) -> Result<(), Problem> {
        let mut failure = None;
        loop {
            let (kind, body) = match self.receive() {
                Ok(message) => message,
                Err(error) => return Err(failure.unwrap_or(Problem::Connection(error))),
            };
            match kind {
                b'Z' => return failure.map_or(Ok(()), Err),
                b'E' => failure = failure.or_else(|| Some(server_error(&body))),
                // Authentication: 0 is "accepted"; anything else is a demand for a password.
                b'R' if !body.starts_with(&[0; 4]) => {
                    let message = "it asks for a password, so somebody has changed its pg_hba.conf"
                        .to_owned();
                    return Err(Problem::Server {
                        code: INVALID_AUTHORIZATION.to_owned() + "*",
                        message,
                    });
                }
                _ => {}
            }
        }
    }

    fn receive(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        if !(4..=LONGEST_MESSAGE).contains(&length) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it does not speak Postgres' protocol",
            ));
        }
        let mut body = vec![0; length as usize - 4];
        self.stream.read_exact(&mut body)?;
        Ok((head[0], body))
    }
}

/// An error's body is a list of fields, each a letter, a text and a NUL: C is the SQLSTATE, M the message.
fn server_error(body: &[u8]) -> Problem {
    let field = |letter: u8| {
        let text = body.split(|&byte| byte == 0).find_map(|field| field.strip_prefix(&[letter]));
        String::from_utf8_lossy(text.unwrap_or_default()).into_owned()
    };
    Problem::Server { code: field(b'C'), message: field(b'M') }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_message_yields_its_code_and_text() {
        let body = b"SFATAL\0VFATAL\0C3D000\0Mdatabase \"x\" does not exist\0Fpostinit.c\0\0";
        let Problem::Server { code, message } = server_error(body) else {
            panic!("it is a server's error")
        };
        assert_eq!((&*code, &*message), (INVALID_CATALOG_NAME, "database \"x\" does not exist"));
    }

    #[test]
    fn a_database_name_that_postgres_would_cut_is_refused() {
        assert!(check_database_name(&"a".repeat(63)).is_ok());
        assert!(check_database_name(&"a".repeat(64)).is_err());
        assert!(check_database_name("").is_err());
        assert!(check_database_name("a\0b").is_err());
    }
}
