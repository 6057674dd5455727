//! Calls from pages in browsers: which origins may make them (CORS). Without a setting none may.

use std::{net::Ipv6Addr, str::FromStr};

use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
        ORIGIN, VARY,
    },
};
use tonic::body::Body;

const METHODS: &str = "GET, POST";

/// What clients by Connect and gRPC-Web send.
const TAKEN: &str = "authorization, content-type, content-encoding, connect-protocol-version, \
                     connect-timeout-ms, connect-content-encoding, connect-accept-encoding, \
                     grpc-timeout, x-grpc-web, x-user-agent, x-request-id, traceparent, tracestate";

/// What they have to see of an answer.
const EXPOSED: &str = "grpc-status, grpc-message, grpc-status-details-bin, grpc-encoding, \
                       connect-content-encoding, content-encoding, retry-after, x-request-id";

/// For how long a browser may remember the answer to a preflight, in seconds: the longest time that all
/// browsers take.
const MAX_AGE: &str = "7200";

/// The origins whose pages may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// All.
    Any,
    /// These, as browsers write them.
    Listed(Vec<String>),
}

impl FromStr for CorsOrigins {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let origins = text.split(',').map(str::trim);
        let origins: Result<_, _> = origins.map(|origin| origin_of(origin).ok_or(origin)).collect();
        origins.map(Self::Listed).map_err(|origin| {
            format!(
                "{origin:?} is no origin: they are written as https://example.com:8443, or * alone"
            )
        })
    }
}

/// An origin has no more than a scheme, a host and a port; a browser leaves out the port that is the scheme's own.
fn origin_of(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?, uri.authority()?.as_str());
    let own_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    if !text.eq_ignore_ascii_case(&format!("{scheme}://{authority}")) {
        return None;
    }
    // A colon stands in an address of IPv6 as well.
    let (host, port) = match authority.rsplit_once(':') {
        Some((_, port)) if port.starts_with('+') => return None,
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse::<u16>().ok()?)),
        _ => (authority, None),
    };
    let host = host_of(host)?;
    Some(match port.filter(|port| *port != own_port) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// A host as browsers write it; `None` for what they never send, such as a pattern.
fn host_of(text: &str) -> Option<String> {
    if let Some(address) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return Some(format!("[{}]", address.parse::<Ipv6Addr>().ok()?));
    }
    let is_known = |letter: u8| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter);
    (!text.is_empty() && text.bytes().all(is_known)).then(|| text.to_ascii_lowercase())
}

/// The pages that may call, and the page that does.
#[derive(Clone, Debug)]
pub(super) struct Page {
    /// The value of the header that lets the page in; `None` if it stays out.
    admitted: Option<HeaderValue>,
    listed: bool,
    is_preflight: bool,
}

impl Page {
    /// The page that makes the request.
    pub(super) fn of(origins: &CorsOrigins, request: &Request<Body>) -> Self {
        let headers = request.headers();
        let origin = headers.get(ORIGIN);
        let (listed, admitted) = match origins {
            CorsOrigins::Any => (false, origin.map(|_| HeaderValue::from_static("*"))),
            CorsOrigins::Listed(listed) => {
                let is_listed = |origin: &&HeaderValue| {
                    listed.iter().any(|one| one.as_bytes() == origin.as_bytes())
                };
                (true, origin.filter(is_listed).cloned())
            }
        };
        let asks = headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let is_preflight = *request.method() == Method::OPTIONS && asks && admitted.is_some();
        Self { admitted, listed, is_preflight }
    }

    /// The answer to a preflight, by which the browser asks before the call.
    pub(super) fn preflight(&self) -> Option<Response<Body>> {
        self.is_preflight.then(|| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            for (name, value) in [
                (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
                (ACCESS_CONTROL_ALLOW_HEADERS, TAKEN),
                (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
            ] {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            response
        })
    }

    /// Shows the answer to the page, if it was let in.
    pub(super) fn show(&self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        if self.listed {
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(admitted) = &self.admitted {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, admitted.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        let read = |text: &str| text.parse::<CorsOrigins>().ok();
        let listed = |origins: &[&str]| {
            Some(CorsOrigins::Listed(origins.iter().map(|&origin| origin.to_owned()).collect()))
        };
        assert_eq!(read("*"), Some(CorsOrigins::Any));
        assert_eq!(read("https://a.example"), listed(&["https://a.example"]));
        let both = "HTTPS://A.example:8443, http://[0:0::1]:08080";
        assert_eq!(read(both), listed(&["https://a.example:8443", "http://[::1]:8080"]));
        let own = "http://[::1]:80,https://a.example:443,http://b.example:443";
        let expected = ["http://[::1]", "https://a.example", "http://b.example:443"];
        assert_eq!(read(own), listed(&expected));
        for bad in [
            "",
            "a.example",
            "https://",
            "https://a.example/",
            "https://a.example/x",
            "https://u@a.example",
            "ftp://a.example",
            "null",
            "https://*.example",
            "https://a.*",
            "http://a.example:",
            "http://a.example:65536",
            "http://a.example:+8",
            "http://[::1",
            "http://[::g]",
            "https://a.example,*",
            "https://a.example,",
        ] {
            assert_eq!(read(bad), None, "{bad:?} was taken");
        }
    }
}
