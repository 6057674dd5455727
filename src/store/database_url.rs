//! The database's URL, with one host or several, as libpq reads it; and what is wrong with one that can't
//! be read. No message contains a part of the URL that could be the password.

use std::str::FromStr as _;

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sqlx::postgres::PgConnectOptions;

/// What is wrong with a database URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// The URL of another kind of database, or none.
    #[error("must start with postgres:// ({0})")]
    Scheme(String),
    /// A character that has a meaning in URLs stands in the user name or the password.
    #[error("{found} in the user name or the password must be written as {written}")]
    Unescaped {
        /// The character.
        found: &'static str,
        /// How it is written.
        written: &'static str,
    },
    /// The list of hosts and ports can't be read.
    #[error("{0}")]
    Hosts(String),
    /// A parameter has a value that the service can't use.
    #[error("{0}")]
    Parameter(String),
    /// The URL was changed, and leads to another server or database.
    #[error("leads to another server or database: that takes a restart")]
    OtherDatabase,
}

/// One of the servers that a URL names.
#[derive(Clone, Debug)]
pub(super) struct Host {
    /// The name and the port, for messages: "db1.example.com:5432".
    pub(super) name: String,
    /// How to connect.
    pub(super) options: PgConnectOptions,
}

/// The parameters that say which hosts there are. They are read here and not by sqlx.
const HOST_PARAMETERS: [&str; 4] = ["host", "hostaddr", "port", "target_session_attrs"];

/// The parameters that sqlx reads.
const PARAMETERS: [&str; 9] = [
    "application_name",
    "dbname",
    "options",
    "password",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "user",
];

/// Parameters of libpq that change nothing here: the settings of befriend bound the times, and the server
/// always speaks UTF-8 to it.
const WITHOUT_EFFECT: [&str; 8] = [
    "client_encoding",
    "connect_timeout",
    "fallback_application_name",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "tcp_user_timeout",
];

/// The servers of a URL, in its order.
///
/// # Errors
/// [`DatabaseUrlError`].
pub(super) fn hosts(url: &str) -> Result<Vec<Host>, DatabaseUrlError> {
    let url = url.trim();
    let parts = Parts::of(after_scheme(url)?)?;
    check_user(parts.user)?;
    let pairs: Vec<(String, String)> =
        form_urlencoded::parse(parts.query.as_bytes()).into_owned().collect();
    let parameter = |name: &str| {
        let named = pairs.iter().rev().find(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    };
    check_parameters(pairs.iter().map(|(name, _)| name.as_str()))?;
    check_session(parameter("target_session_attrs"))?;
    let user = parts.user.split(':').next().unwrap_or_default();
    if user.is_empty() && parameter("user").is_none() && std::env::var_os("PGUSER").is_none() {
        let why = "it names no user: write postgres://user:password@host:port/database";
        return Err(DatabaseUrlError::Parameter(why.to_owned()));
    }
    if percent_decode_str(parts.database).decode_utf8().is_err() {
        let why = "the name of the database is not UTF-8";
        return Err(DatabaseUrlError::Parameter(why.to_owned()));
    }
    let (mut names, mut ports) = split_hosts(parts.hosts)?;
    if let Some(given) = parameter("hostaddr").or_else(|| parameter("host")) {
        names = given.split(',').map(str::to_owned).collect();
    }
    if let Some(given) = parameter("port") {
        ports = given.split(',').map(port).collect::<Result<_, _>>()?;
    }
    let ports = spread(ports, names.len())?;
    let unread = |key: &str| HOST_PARAMETERS.contains(&key) || WITHOUT_EFFECT.contains(&key);
    let rest: Vec<_> = pairs.iter().filter(|(key, _)| !unread(key)).collect();
    names.iter().zip(ports).map(|(name, port)| host(&parts, &rest, name, port)).collect()
}

/// The text behind "postgres://".
fn after_scheme(url: &str) -> Result<&str, DatabaseUrlError> {
    for scheme in ["postgres://", "postgresql://"] {
        if let Some(rest) = url.strip_prefix(scheme) {
            return Ok(rest);
        }
    }
    let scheme: String =
        url.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-')).collect();
    let why = match scheme.as_str() {
        "jdbc" => "this is a URL for Java: write postgres://user:password@host:port/database",
        _ if url.starts_with(['"', '\'']) => "it begins with a quote: write it without quotes",
        "postgres" | "postgresql" => "there are no two slashes behind the scheme",
        _ if url.contains("://") => {
            return Err(DatabaseUrlError::Scheme(format!("{scheme} is not Postgres")));
        }
        _ if url.contains('=') => "this is a list of parameters, not a URL",
        _ => "this is not a URL",
    };
    Err(DatabaseUrlError::Scheme(why.to_owned()))
}

/// The parts of a URL behind its scheme, as they are written.
struct Parts<'a> {
    /// "user:password", or "".
    user: &'a str,
    /// "host:port,host:port", or "".
    hosts: &'a str,
    database: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Result<Self, DatabaseUrlError> {
        let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(authority_end);
        // An "@" behind the end: the character that seems to end the hosts belongs to the password. In
        // parameters an "@" is allowed.
        if let Some(at) = tail.find('@')
            && !tail[..at].contains('=')
        {
            return Err(match tail.as_bytes()[0] {
                b'/' => unescaped("a slash", "%2F"),
                b'?' => unescaped("a question mark", "%3F"),
                _ => unescaped("a #", "%23"),
            });
        }
        let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        if tail.contains('#') {
            return Err(unescaped("a #", "%23"));
        }
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        Ok(Self { user, hosts, database: path.trim_start_matches('/'), query })
    }
}

fn unescaped(found: &'static str, written: &'static str) -> DatabaseUrlError {
    DatabaseUrlError::Unescaped { found, written }
}

/// Refuses what would be read as another user or password than was meant.
fn check_user(user: &str) -> Result<(), DatabaseUrlError> {
    if user.contains('@') {
        return Err(unescaped("an @", "%40"));
    }
    if user.contains(char::is_whitespace) {
        return Err(unescaped("a blank", "%20"));
    }
    let mut escapes = user.split('%').skip(1);
    let is_escape = |text: &str| {
        let digits = text.as_bytes().get(..2);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if escapes.any(|text| !is_escape(text)) {
        return Err(unescaped("a % that is not part of an escape", "%25"));
    }
    let decoded = percent_decode_str(user).decode_utf8();
    decoded.map(drop).map_err(|_| {
        DatabaseUrlError::Parameter("the user name or the password is not UTF-8".to_owned())
    })
}

/// Refuses parameters that would change nothing though they should, such as how the connection is secured.
fn check_parameters<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), DatabaseUrlError> {
    for name in names {
        let known = HOST_PARAMETERS.contains(&name)
            || PARAMETERS.contains(&name)
            || WITHOUT_EFFECT.contains(&name)
            || (name.starts_with("options[") && name.ends_with(']'));
        if !known {
            // A name that is none may be a part of the password.
            let is_name = !name.is_empty()
                && name.len() <= 40
                && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            let name = if is_name { name } else { "that is none" };
            return Err(DatabaseUrlError::Parameter(format!(
                "befriend has no parameter {name}; it knows {} and {}",
                HOST_PARAMETERS.join(", "),
                PARAMETERS.join(", ")
            )));
        }
    }
    Ok(())
}

/// The service writes, so each of these means a server that takes writes.
fn check_session(attributes: Option<&str>) -> Result<(), DatabaseUrlError> {
    match attributes {
        None | Some("read-write" | "primary" | "any") => Ok(()),
        Some(_) => Err(DatabaseUrlError::Parameter(
            "target_session_attrs: befriend writes, so it must be read-write or primary".to_owned(),
        )),
    }
}

/// The names, and the ports where they are given.
fn split_hosts(hosts: &str) -> Result<(Vec<String>, Vec<Option<u16>>), DatabaseUrlError> {
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, given) = match host.strip_prefix('[') {
            Some(rest) => {
                let Some((address, after)) = rest.split_once(']') else {
                    return Err(wrong_hosts("a [ without a ]"));
                };
                (address, after.strip_prefix(':'))
            }
            None => match host.split_once(':') {
                Some((name, port)) => (name, Some(port)),
                None => (host, None),
            },
        };
        let decoded = percent_decode_str(name).decode_utf8();
        names.push(decoded.map_err(|_| wrong_hosts("a host name that is not UTF-8"))?.into_owned());
        ports.push(given.map_or(Ok(None), port)?);
    }
    Ok((names, ports))
}

fn port(text: &str) -> Result<Option<u16>, DatabaseUrlError> {
    if text.is_empty() {
        return Ok(None);
    }
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    port.map(Some).ok_or_else(|| {
        // The text is not shown: without an "@", it may be the password.
        wrong_hosts(
            "a port that is not a number from 1 to 65535, or a password without an @ behind it",
        )
    })
}

fn wrong_hosts(what: &str) -> DatabaseUrlError {
    DatabaseUrlError::Hosts(format!("the list of hosts contains {what}"))
}

/// One port for all hosts, or one for each.
fn spread(ports: Vec<Option<u16>>, hosts: usize) -> Result<Vec<Option<u16>>, DatabaseUrlError> {
    match ports.as_slice() {
        [port] => Ok(vec![*port; hosts]),
        ports if ports.len() == hosts => Ok(ports.to_vec()),
        _ => {
            let why = format!("{} ports are given for {hosts} hosts", ports.len());
            Err(DatabaseUrlError::Hosts(why))
        }
    }
}

/// One of the hosts: the URL with this host alone, for sqlx.
fn host(
    parts: &Parts<'_>,
    parameters: &[&(String, String)],
    name: &str,
    port: Option<u16>,
) -> Result<Host, DatabaseUrlError> {
    let escaped = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mut pairs: Vec<String> = parameters
        .iter()
        .map(|(key, value)| format!("{}={}", escaped(key), escaped(value)))
        .collect();
    if !name.is_empty() {
        pairs.push(format!("host={}", escaped(name)));
    }
    pairs.extend(port.map(|port| format!("port={port}")));
    // A user needs a host behind it; the parameter wins over this one.
    let authority = if parts.user.is_empty() && name.is_empty() {
        String::new()
    } else {
        format!("{}@localhost", parts.user)
    };
    let authority = authority.trim_start_matches('@');
    let url = format!("postgres://{authority}/{}?{}", parts.database, pairs.join("&"));
    let options = PgConnectOptions::from_str(&url).map_err(|error| {
        let why = match error {
            sqlx::Error::Configuration(why) => why.to_string(),
            other => other.to_string(),
        };
        DatabaseUrlError::Parameter(why)
    })?;
    let place = options
        .get_socket()
        .map_or_else(|| options.get_host().to_owned(), |folder| folder.display().to_string());
    let place = if place.contains(':') { format!("[{place}]") } else { place };
    Ok(Host { name: format!("{place}:{}", options.get_port()), options })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(url: &str) -> Vec<String> {
        let hosts = hosts(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        hosts.into_iter().map(|host| host.name).collect()
    }

    #[test]
    fn the_hosts_of_a_url_are_those_that_libpq_reads() {
        for (url, expected) in [
            ("postgres://u:p@db/x", &["db:5432"][..]),
            ("postgresql://u:p@db:6000/x?sslmode=disable", &["db:6000"]),
            ("postgres://u@a,b:2,[::1]:3/x", &["a:5432", "b:2", "[::1]:3"]),
            ("postgres://u@/x?host=a,b&port=1,2", &["a:1", "b:2"]),
            ("postgres://u@a,b/x?port=7", &["a:7", "b:7"]),
            ("postgres://u@%2Frun%2Fpg:9/x", &["/run/pg:9"]),
            ("postgres:///x?host=/run/pg&user=u", &["/run/pg:5432"]),
            ("postgres://u@a,b/x?target_session_attrs=read-write", &["a:5432", "b:5432"]),
        ] {
            assert_eq!(names(url), expected, "{url}");
        }
    }

    #[test]
    fn the_rest_of_the_url_is_that_of_each_host() {
        for host in hosts("postgres://us%65r:p%40ss%2Fword@a,b/x%20y?sslmode=disable").unwrap() {
            assert_eq!(host.options.get_username(), "user");
            assert_eq!(host.options.get_database(), Some("x y"));
        }
    }

    #[test]
    fn a_url_that_can_not_be_read_is_told_for_what_it_is_and_not_shown() {
        for (url, said) in [
            ("jdbc:postgresql://u:s3cret@h/x", "Java"),
            ("mysql://u:s3cret@h/x", "mysql is not Postgres"),
            ("host=h password=s3cret", "list of parameters"),
            ("nonsense", "not a URL"),
            ("postgres:/h/x", "two slashes"),
            ("postgres://u:s3/cret@h/x", "%2F"),
            ("postgres://u:s3?cret@h/x", "%3F"),
            ("postgres://u:s3#cret@h/x", "%23"),
            ("postgres://u:s3@cret@h/x", "%40"),
            ("postgres://u:top@s3/cret@h/x", "%2F"),
            ("postgres://u:top@s3?cret@h/x", "%3F"),
            ("\"postgres://u:s3cret@h/x\"", "without quotes"),
            ("postgres://:s3cret@h/x", "names no user"),
            ("postgres://h/x", "names no user"),
            ("postgres://u:s3cret@h/x%ff", "the database is not UTF-8"),
            ("postgres://u:s3cret@h/x?channel_binding=require", "no parameter channel_binding"),
            ("postgres://u@h/x?S3cret=1", "no parameter that is none"),
            ("postgres://u:s3 cret@h/x", "%20"),
            ("postgres://u:s3%cret@h/x", "%25"),
            ("postgres://u:s3cret", "port"),
            ("postgres://u@a,b,c/x?port=1,2", "2 ports are given for 3 hosts"),
            ("postgres://u@[::1/x", "without a ]"),
            ("postgres://u@a/x?target_session_attrs=standby", "target_session_attrs"),
            ("postgres://u@a/x?sslmode=maybe", "maybe"),
        ] {
            let error = hosts(url).map(|_| ()).expect_err(url).to_string();
            assert!(error.contains(said), "{url}: {error}");
            assert!(!error.contains("s3") && !error.contains("cret"), "{url}: {error}");
        }
    }
}
