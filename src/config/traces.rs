//! Settings of the traces that are exported.

use std::str::FromStr;

use clap::{Args, ValueEnum};
use http::Uri;

/// How spans go to their receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OtlpProtocol {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, as protobuf.
    Http,
}

/// The URL of a receiver of OTLP: http:// or https:// with a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpEndpoint(Uri);

impl OtlpEndpoint {
    /// The URL, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.to_string().trim_end_matches('/').to_owned()
    }

    /// Whether the spans are encrypted on their way.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }
}

impl FromStr for OtlpEndpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let uri: Uri = text.parse().map_err(|error| format!("is no URL: {error}"))?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        match uri.authority() {
            Some(authority) if authority.as_str().contains('@') => {
                Err("must not hold a password: OTEL_EXPORTER_OTLP_HEADERS takes it".to_owned())
            }
            Some(_) if known && uri.query().is_none() => Ok(Self(uri)),
            _ => {
                Err("must be http:// or https:// with a host, as http://127.0.0.1:4317".to_owned())
            }
        }
    }
}

/// The traces that are exported.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Traces")]
pub struct TraceArgs {
    /// Where traces are sent to, in OTLP, as "http://127.0.0.1:4317" [default: nowhere].
    #[arg(long, env = "BEFRIEND_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<OtlpEndpoint>,

    /// By which protocol traces are sent. Over HTTP they go to /v1/traces below the endpoint.
    #[arg(long, env = "BEFRIEND_OTLP_PROTOCOL", value_enum, value_name = "PROTOCOL", default_value_t = OtlpProtocol::Grpc)]
    pub otlp_protocol: OtlpProtocol,

    /// The part of the traces that is sampled, from 0 (none) to 1 (all).
    ///
    /// Above 0, a caller's own choice, in its traceparent, goes before.
    #[arg(long, env = "BEFRIEND_TRACE_SAMPLING", value_name = "RATIO", default_value = "0.01", value_parser = ratio)]
    pub trace_sampling: f64,
}

/// Parses a number from 0 to 1.
fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("must be a number between 0 and 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_with_a_host_and_without_a_password() {
        for (good, url) in [
            ("http://127.0.0.1:4317", "http://127.0.0.1:4317"),
            ("https://otlp.example.com/", "https://otlp.example.com"),
            ("https://otlp.example.com/team", "https://otlp.example.com/team"),
        ] {
            assert_eq!(good.parse::<OtlpEndpoint>().unwrap().url(), url);
        }
        for bad in
            ["", "localhost:4317", "ftp://a", "http://", "http://me:secret@a", "http://a?b=c"]
        {
            assert!(bad.parse::<OtlpEndpoint>().is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn a_sampling_ratio_is_between_0_and_1() {
        assert_eq!((ratio("0"), ratio("0.25"), ratio("1")), (Ok(0.0), Ok(0.25), Ok(1.0)));
        for bad in ["", "-0.1", "1.1", "NaN", "5%"] {
            assert!(ratio(bad).is_err(), "{bad:?} was taken");
        }
    }
}
