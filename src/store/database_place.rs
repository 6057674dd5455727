//! What a database's URL says beside its password: where the database is; and the URL with a password
//! that came by another way.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::database_url::{DatabaseUrlError, hosts};
use crate::domain::Secret;

/// The URL with this password.
///
/// # Errors
/// [`DatabaseUrlError`] when the URL can't be read, or has a password.
pub fn with_password(url: &str, password: &Secret) -> Result<Secret, DatabaseUrlError> {
    hosts(url)?;
    let url = url.trim();
    let (before, parameters) = url.split_once('?').unwrap_or((url, ""));
    let user = before.rsplit_once('@').map_or("", |(user, _)| user);
    let user = user.split_once("://").map_or(user, |(_, user)| user);
    let names_password = |pair: (_, _)| pair.0 == "password";
    if user.contains(':') || form_urlencoded::parse(parameters.as_bytes()).any(names_password) {
        let why = "the password is given twice: here and in --database-url";
        return Err(DatabaseUrlError::Parameter(why.to_owned()));
    }
    let separator = if url.contains('?') { '&' } else { '?' };
    let password = utf8_percent_encode(password.reveal(), NON_ALPHANUMERIC);
    Ok(Secret::presented(&format!("{url}{separator}password={password}")))
}

/// The URL of another database on the same server; `name` needs no escapes, and the URL was read before.
pub(super) fn with_database(url: &str, name: &str) -> String {
    let (before, parameters) = url.trim().split_once('?').unwrap_or((url.trim(), ""));
    let (scheme, rest) = before.split_once("://").unwrap_or(("postgres", before));
    let hosts = rest.split_once('/').map_or(rest, |(hosts, _)| hosts);
    let pairs: Vec<&str> =
        parameters.split('&').filter(|pair| !pair.starts_with("dbname=")).collect();
    format!("{scheme}://{hosts}/{name}?{}", pairs.join("&"))
}

/// What is escaped in a part of a URL.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'$');

/// The URL of a database without its password and its parameters:
/// "postgres://befriend@db1:5432,db2:5432/befriend".
///
/// # Errors
/// [`DatabaseUrlError`].
pub fn place(url: &str) -> Result<String, DatabaseUrlError> {
    let hosts = hosts(url)?;
    let escaped = |text: &str| utf8_percent_encode(text, ESCAPED).to_string();
    let names: Vec<_> = hosts
        .iter()
        .map(|host| match host.name.rsplit_once(':') {
            // The folder of a socket.
            Some((name, port)) if name.starts_with('/') => format!("{}:{port}", escaped(name)),
            Some((name, port)) if name.contains(':') && !name.starts_with('[') => {
                format!("[{name}]:{port}")
            }
            _ => host.name.clone(),
        })
        .collect();
    let options = hosts.first().map(|host| &host.options);
    let user = options.map_or("", |options| options.get_username());
    // As Postgres does: without a name it is the user's own database.
    let database = options.and_then(|options| options.get_database()).unwrap_or(user);
    Ok(format!("postgres://{}@{}/{}", escaped(user), names.join(","), escaped(database)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_everything_but_the_password() {
        for (url, shown) in [
            ("postgres://u:s3cret@db/x", "postgres://u@db:5432/x"),
            ("postgres://u:s3cret@a,b:7/x?sslmode=require", "postgres://u@a:5432,b:7/x"),
            ("postgres://u@db?password=s3cret", "postgres://u@db:5432/u"),
            ("postgres://u@%2Frun%2Fpg:9/x", "postgres://u@%2Frun%2Fpg:9/x"),
            ("postgres://u@[::1]:9/x", "postgres://u@[::1]:9/x"),
            ("postgres://a%40b@db/x%2Fy", "postgres://a%40b@db:5432/x%2Fy"),
        ] {
            assert_eq!(place(url).unwrap(), shown);
        }
    }

    #[test]
    fn a_url_of_another_database_differs_in_nothing_else() {
        for (url, other) in [
            ("postgres://u:p@db:7/x?sslmode=require", "postgres://u:p@db:7/y?sslmode=require"),
            ("postgresql://u@a,b", "postgresql://u@a,b/y?"),
            ("postgres://u@%2Frun%2Fpg/x?dbname=z&user=v", "postgres://u@%2Frun%2Fpg/y?user=v"),
        ] {
            assert_eq!(with_database(url, "y"), other);
            assert!(place(other).unwrap().ends_with("/y"), "{other}");
        }
    }

    #[test]
    fn a_password_of_its_own_becomes_part_of_a_url_without_one() {
        let password = Secret::presented("s3/cr&t?#@:%");
        for (url, joined) in [
            ("postgres://u@db/x", "postgres://u@db/x?password=s3%2Fcr%26t%3F%23%40%3A%25"),
            (
                "postgres://db/x?user=u",
                "postgres://db/x?user=u&password=s3%2Fcr%26t%3F%23%40%3A%25",
            ),
        ] {
            let url = with_password(url, &password).unwrap();
            assert_eq!(url.reveal(), joined);
            assert_eq!(place(url.reveal()).unwrap(), "postgres://u@db:5432/x");
        }
        for url in ["postgres://u:other@db/x", "postgres://u@db/x?password=other"] {
            let said = with_password(url, &password).unwrap_err().to_string();
            assert!(said.contains("twice") && !said.contains("other"), "{said}");
        }
    }
}
