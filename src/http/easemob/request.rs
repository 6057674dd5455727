//! A request as the functions of the routes take it: path, query and body, and what responses
//! repeat of them.

use std::net::IpAddr;

use axum::{
    body::Bytes,
    http::{header, request::Parts, uri::Authority},
};
use serde_json::{Map, Value};

use super::error::EasemobError;
use crate::{
    domain::{AppKey, Invalid, PageSize, PageSizes, Username, without_byte_order_mark},
    gate::Connection,
    http::{
        handler::RequestHead,
        read::{self, ReadError},
        schema::{Schema, integer},
    },
};

/// A request below an app's path.
pub(in crate::http) struct EasemobRequest {
    /// The app that the path names.
    pub(super) key: AppKey,
    head: RequestHead,
    query: Vec<(String, String)>,
    body: Bytes,
}

impl EasemobRequest {
    /// Reads a request whose body is still to come. Its URI is the one below the app's path.
    pub(super) fn new(head: RequestHead) -> Result<Self, EasemobError> {
        let (org, app) = (value(&head, "org_name"), value(&head, "app_name"));
        let key = AppKey::from_parts("path", org, app);
        let key = key.map_err(|_| EasemobError::no_app(org, app))?;
        let query = read::pairs(head.parts.uri.query().unwrap_or_default().as_bytes());
        let query = query.ok_or(ReadError::Query)?;
        Ok(Self { key, head, query, body: Bytes::new() })
    }

    /// The same request with its body.
    pub(super) fn with_body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    /// The address at the other end of the connection.
    pub(super) fn address(&self) -> Option<IpAddr> {
        Connection::of(&self.head.parts.extensions)?.address
    }

    /// The user whom a parameter of the path names.
    pub(super) fn user(&self, parameter: &'static str) -> Result<Username, EasemobError> {
        Ok(Username::parse(parameter, value(&self.head, parameter))?)
    }

    /// A parameter of the query; an empty one counts as absent, since some clients send it so.
    pub(super) fn query_value(&self, name: &str) -> Option<&str> {
        let given = self.query.iter().find(|(given, _)| given == name);
        given.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter of the query that is true or false; false when absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, EasemobError> {
        match self.query_value(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(EasemobError::illegal_argument(format!("{name} must be true or false"))),
        }
    }

    /// A parameter of the query that is a page size; the default when absent.
    pub(super) fn page_size(&self, name: &str, sizes: PageSizes) -> Result<PageSize, EasemobError> {
        match self.size(name, sizes)? {
            None => Ok(sizes.choose(0)?),
            Some(0) => Err(size_out_of_range(name, sizes)),
            Some(size) => Ok(sizes.choose(size)?),
        }
    }

    /// A parameter of the query that is a whole number, 0 or more; `None` when absent. A number
    /// that does not fit is taken for the largest that does.
    pub(super) fn size(&self, name: &str, sizes: PageSizes) -> Result<Option<i32>, EasemobError> {
        match self.query_value(name) {
            None => Ok(None),
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Some(text.parse().unwrap_or(i32::MAX)))
            }
            Some(_) => Err(size_out_of_range(name, sizes)),
        }
    }

    /// The body, which must be a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, EasemobError> {
        match self.json()? {
            Value::Object(members) => Ok(members),
            _ => Err(EasemobError::illegal_argument("the body must be a JSON object")),
        }
    }

    /// The body, which must be JSON.
    pub(super) fn json(&self) -> Result<Value, EasemobError> {
        let json = without_byte_order_mark(&self.body);
        serde_json::from_slice(json).map_err(|error| EasemobError::not_json(&error))
    }

    /// The path below the app's, as the client wrote it.
    pub(super) fn path(&self) -> &str {
        self.head.parts.uri.path()
    }

    /// The address that the client asked for, without the query.
    pub(super) fn own_uri(&self) -> String {
        self.uri(self.path())
    }

    /// The address of a path below the app's: "https://im.example.com/org/app/users".
    pub(super) fn uri(&self, path: &str) -> String {
        format!("{}/{}/{}{path}", origin(&self.head.parts), self.key.org(), self.key.app())
    }

    /// When the request was received, in milliseconds since the epoch.
    pub(super) fn timestamp(&self) -> i64 {
        self.head.received.timestamp()
    }

    /// How long the request has taken so far, in milliseconds.
    pub(super) fn duration(&self) -> u64 {
        self.head.received.duration()
    }
}

/// The value of a parameter of the path; empty if the route has no such parameter.
fn value<'a>(head: &'a RequestHead, parameter: &str) -> &'a str {
    let mut parameters = head.params.iter();
    parameters.find(|(name, _)| *name == parameter).map_or("", |(_, value)| value)
}

/// The scheme and host that the client called, as it wrote them: "https://im.example.com:443".
fn origin(parts: &Parts) -> String {
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    // A proxy that terminates TLS names the scheme in this header.
    let tls = Connection::of(&parts.extensions).is_some_and(|connection| connection.tls);
    let scheme = match header("x-forwarded-proto") {
        Some(scheme @ ("http" | "https")) => scheme,
        _ if tls => "https",
        _ => "http",
    };
    let authority = parts.uri.authority().map(Authority::as_str);
    let host = authority.or_else(|| header(header::HOST.as_str()));
    // A Host header that is not a host is not repeated.
    let host = host.filter(|host| host.parse::<Authority>().is_ok());
    format!("{scheme}://{}", host.unwrap_or("localhost"))
}

/// A page size as a parameter of the query.
pub(super) fn page_size_schema(sizes: PageSizes) -> Schema {
    integer().with("minimum", 1).with("maximum", sizes.max)
}

fn size_out_of_range(name: &str, sizes: PageSizes) -> EasemobError {
    EasemobError::illegal_argument(format!("{name} must be between 1 and {}", sizes.max))
}

/// A member of the body that must be an array of strings.
pub(super) fn strings(
    members: &Map<String, Value>,
    field: &'static str,
) -> Result<Vec<String>, EasemobError> {
    let string = |item: &Value| item.as_str().map(str::to_owned);
    let array = members.get(field).and_then(Value::as_array);
    let strings = array.and_then(|array| array.iter().map(string).collect());
    let why = || EasemobError::illegal_argument(format!("{field} must be an array of strings"));
    strings.ok_or_else(why)
}

/// A member of the body that must be an array of 1 to `max` strings.
pub(super) fn bounded_strings(
    members: &Map<String, Value>,
    field: &'static str,
    max: usize,
) -> Result<Vec<String>, EasemobError> {
    let strings = strings(members, field)?;
    if strings.is_empty() {
        return Err(EasemobError::illegal_argument(format!("{field} must not be empty")));
    }
    if strings.len() > max {
        return Err(Invalid::BatchTooLarge { field, max }.into());
    }
    Ok(strings)
}

/// Reads usernames, given as the request's `field`.
pub(super) fn usernames(
    field: &'static str,
    names: &[String],
) -> Result<Vec<Username>, EasemobError> {
    let parse = |(at, name): (usize, &String)| Username::parse(format_args!("{field}[{at}]"), name);
    Ok(names.iter().enumerate().map(parse).collect::<Result<_, _>>()?)
}
