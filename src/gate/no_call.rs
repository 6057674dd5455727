//! Requests that are no call of any operation: nothing takes their path, method or content type, or they have
//! too much metadata. They are answered before the gate, and counted and logged here.

use http::HeaderValue;

use super::Surface;

/// How much of a path is logged, in characters.
const LONGEST_PATH: usize = 200;

/// What is wrong with a request that is no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoCall {
    /// There is no such path, over HTTP.
    Path,
    /// The path takes another method.
    Method,
    /// The path belongs to gRPC, and the content type is of no form of its calls.
    ContentType,
    /// A gRPC call has too much metadata.
    Metadata,
    /// gRPC has no such service or method.
    Unimplemented,
}

impl NoCall {
    /// On which surface what can be wrong.
    pub const ALL: [(Surface, Self); 15] = [
        (Surface::Grpc, Self::Method),
        (Surface::Grpc, Self::ContentType),
        (Surface::Grpc, Self::Metadata),
        (Surface::Grpc, Self::Unimplemented),
        (Surface::Connect, Self::Method),
        (Surface::Connect, Self::ContentType),
        (Surface::Connect, Self::Metadata),
        (Surface::Connect, Self::Unimplemented),
        (Surface::GrpcWeb, Self::Method),
        (Surface::GrpcWeb, Self::Metadata),
        (Surface::GrpcWeb, Self::Unimplemented),
        (Surface::Easemob, Self::Path),
        (Surface::Easemob, Self::Method),
        (Surface::NetEase, Self::Path),
        (Surface::NetEase, Self::Method),
    ];

    /// What is wrong, as a word or two.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Method => "method",
            Self::ContentType => "content type",
            Self::Metadata => "metadata",
            Self::Unimplemented => "unimplemented",
        }
    }

    /// Counts a request, and logs it for those who look for it: anybody can send many, and their paths may hold
    /// names, so the level is debug.
    pub fn count(self, surface: Surface, path: &str, id: &HeaderValue) {
        let labels = [("surface", surface.name()), ("what", self.name())];
        metrics::counter!("befriend_requests_without_call_total", &labels).increment(1);
        tracing::debug!(
            surface = surface.name(),
            what = self.name(),
            path = path.chars().take(LONGEST_PATH).collect::<String>(),
            request_id = id.to_str().unwrap_or_default(),
            "a request is no call"
        );
    }
}
