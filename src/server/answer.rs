//! An answer on its way out. Its bytes count as waiting until HTTP/2 or HTTP/1 has written them, and until
//! then the call keeps its place among the calls in flight: no caller has more answers made than it reads.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use hyper::body::{Buf, Bytes, Frame, SizeHint};
use tonic::{Status, body::Body};

use super::peer::{OpenCall, Unsent};
use crate::gate::InFlight;

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    call: Arc<InFlight>,
    open: OpenCall,
}

impl Answer {
    /// The body of the answer to a call.
    pub(super) fn new(body: Body, call: Arc<InFlight>, open: OpenCall) -> Self {
        Self { body, call, open }
    }
}

impl hyper::body::Body for Answer {
    type Data = Waiting;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Waiting>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map(|frame| {
                frame.map_data(|bytes| Waiting {
                    _unsent: self.open.peer().wait(bytes.len()),
                    _call: Arc::clone(&self.call),
                    bytes,
                })
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes of an answer. The connection drops them once they are written.
#[derive(Debug)]
pub(super) struct Waiting {
    bytes: Bytes,
    _unsent: Unsent,
    _call: Arc<InFlight>,
}

impl Buf for Waiting {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }
}
