//! Answers that are ready before the request's body was read, on a connection of HTTP/1: there the next
//! request follows the body. Either the rest of the body is read, or the answer says that the connection
//! ends with it; a client that was not told would send its next request into a connection that closes.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderValue, Request, Response, Version,
        header::{CONNECTION, EXPECT},
    },
};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

/// How much of a body is read for nothing, and how long its rest is waited for.
const MAX_REST: usize = 256 * 1024;
const REST_TIMEOUT: Duration = Duration::from_millis(100);

/// What is left of a request's body, whoever reads it.
pub(super) struct Rest {
    body: Shared,
    /// The client sends its body only when somebody reads it.
    waits: bool,
}

/// A body that its reader and [`Rest`] share.
#[derive(Clone)]
struct Shared(Arc<Mutex<Tracked>>);

struct Tracked {
    body: Body,
    ended: bool,
}

impl Shared {
    fn tracked(&self) -> MutexGuard<'_, Tracked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut tracked = self.tracked();
        let polled = Pin::new(&mut tracked.body).poll_frame(cx);
        tracked.ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        let tracked = self.tracked();
        tracked.ended || tracked.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.tracked().body.size_hint()
    }
}

impl Rest {
    /// Watches over the body of a request of HTTP/1; `None` when it has none, or comes over HTTP/2, where
    /// each request has a stream of its own.
    pub(super) fn of(request: &mut Request<Body>) -> Option<Self> {
        if request.version() >= Version::HTTP_2 || request.body().is_end_stream() {
            return None;
        }
        let body = std::mem::take(request.body_mut());
        let body = Shared(Arc::new(Mutex::new(Tracked { body, ended: false })));
        *request.body_mut() = Body::new(body.clone());
        Some(Self { body, waits: request.headers().contains_key(EXPECT) })
    }

    /// Reads what is left of the body, or has the response say that the connection ends.
    pub(super) async fn finish(mut self, response: &mut Response<Body>) {
        if self.body.is_end_stream() {
            return;
        }
        let read =
            !self.waits && tokio::time::timeout(REST_TIMEOUT, self.read()).await.unwrap_or(false);
        if !read {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }

    /// Whether the body came to its end within the bound.
    async fn read(&mut self) -> bool {
        let mut size = 0;
        while let Some(frame) = self.body.frame().await {
            let Ok(frame) = frame else { return false };
            size += frame.data_ref().map_or(0, Bytes::len);
            if size > MAX_REST {
                return false;
            }
        }
        true
    }
}
