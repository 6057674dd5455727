//! Answers that are ready before the request's body was read, on a connection of HTTP/1: there the next
//! request follows the body. Either the rest of the body is read, or the answer says that the connection
//! ends with it; a client that was not told would send its next request into a connection that closes.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{
    HeaderValue, Request, Response, Version,
    header::{CONNECTION, EXPECT},
};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Bytes;

/// How much of a body is read for nothing, and how long its rest is waited for.
const MAX_REST: usize = 256 * 1024;
const REST_TIMEOUT: Duration = Duration::from_millis(100);

/// What is left of a request's body, whoever reads it.
pub(crate) struct Rest<B> {
    body: Shared<B>,
    /// The client sends its body only when somebody reads it.
    waits: bool,
}

/// A body that its reader and [`Rest`] share.
pub(crate) struct Shared<B>(Arc<Mutex<Tracked<B>>>);

struct Tracked<B> {
    body: B,
    ended: bool,
}

impl<B> Shared<B> {
    fn tracked(&self) -> MutexGuard<'_, Tracked<B>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Shared<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
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

impl<B: Body<Data = Bytes> + Default + Unpin> Rest<B> {
    /// Watches over the body of a request of HTTP/1; `None` when it has none, or comes over HTTP/2, where
    /// each request has a stream of its own. `wrap` makes a body of that type again.
    pub(crate) fn of(request: &mut Request<B>, wrap: impl FnOnce(Shared<B>) -> B) -> Option<Self> {
        if request.version() >= Version::HTTP_2 || request.body().is_end_stream() {
            return None;
        }
        let body = std::mem::take(request.body_mut());
        let shared = Arc::new(Mutex::new(Tracked { body, ended: false }));
        *request.body_mut() = wrap(Shared(Arc::clone(&shared)));
        let body = Shared(shared);
        Some(Self { body, waits: request.headers().contains_key(EXPECT) })
    }

    /// Reads what is left of the body, or has the response say that the connection ends.
    pub(crate) async fn finish<A>(mut self, response: &mut Response<A>) {
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
