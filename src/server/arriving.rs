//! The body of a request on its way in. Its bytes are counted while more of them are coming: a caller who
//! sends large requests slowly, or never to their end, takes its share of the memory and no more.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tonic::Status;

use crate::gate::InFlight;

/// The body of a call's request.
#[derive(Debug)]
pub(super) struct Arriving {
    body: Incoming,
    call: Arc<InFlight>,
}

impl Arriving {
    /// The body of the request of a call.
    pub(super) fn new(body: Incoming, call: Arc<InFlight>) -> Self {
        Self { body, call }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(Status::from_error(error.into())))),
            None => return Poll::Ready(None),
        };
        // What comes in one piece, as nearly all requests do, is not counted.
        if let Some(data) = frame.data_ref()
            && !self.body.is_end_stream()
        {
            self.call.receive(data.len())?;
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
