//! The message of a request as gRPC has it. It is read only when the call has passed the gate and its method
//! asks for it, and no further than to its bound.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::{Body as HttpBody, Frame};
use prost::bytes::{BufMut as _, Bytes, BytesMut};
use prost_reflect::MessageDescriptor;
use tokio::time::{Sleep, sleep};
use tonic::{Code, Status, body::Body};

use super::{
    codec::Codec,
    gzip::{decompress, too_large},
};
use crate::domain::{Error, Invalid};

/// The length of what precedes a message in gRPC, and in an envelope of Connect: a byte of flags, and four of
/// the message's length.
pub(super) const PREFIX: usize = 5;

/// The flag of a compressed message.
pub(super) const COMPRESSED: u8 = 1;

/// How a request's message was written.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) codec: Codec,
    pub(super) kind: MessageDescriptor,
    /// Whether gzip is used: for the whole body, or for an envelope that says so.
    pub(super) gzip: bool,
    pub(super) in_envelope: bool,
    /// The most bytes that a message may have, compressed or not.
    pub(super) max: usize,
    /// How long it may take to come, where no gate bounds that.
    pub(super) patience: Option<Duration>,
}

/// The body of a request, as gRPC has it.
#[derive(Debug)]
pub(super) struct CallBody {
    source: Body,
    written: Written,
    received: BytesMut,
    state: State,
    /// When its time is over.
    late: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
enum State {
    /// The request is wrong in another way than by its message.
    Refused(Status),
    Coming,
    /// What precedes the message was handed out.
    Ready(Bytes),
    Done,
}

impl CallBody {
    /// A body with one message, which was written so, from `source`.
    pub(super) fn new(source: Body, written: Written, refusal: Option<Status>) -> Self {
        let state = refusal.map_or(State::Coming, State::Refused);
        let late = written.patience.map(|patience| Box::pin(sleep(patience)));
        Self { source, written, received: BytesMut::new(), state, late }
    }

    fn take(&mut self, data: &[u8]) -> Result<(), Invalid> {
        let Written { max, in_envelope, .. } = self.written;
        let limit = if in_envelope { max.saturating_add(PREFIX) } else { max };
        if self.received.len() + data.len() > limit {
            return Err(too_large(max));
        }
        self.received.extend_from_slice(data);
        // What the envelope says of its length is known long before the message is there.
        if in_envelope && length(&self.received).is_some_and(|length| length > max) {
            return Err(too_large(max));
        }
        Ok(())
    }

    /// The message, once all of it has come.
    fn message(&mut self) -> Result<Bytes, Invalid> {
        let Written { codec, kind, gzip, in_envelope, max, .. } = &self.written;
        let mut message = self.received.split().freeze();
        let mut compressed = *gzip;
        if *in_envelope {
            let length = length(&message).ok_or_else(|| broken("an envelope is missing"))?;
            let flags = message.split_to(PREFIX)[0];
            if length != message.len() {
                return Err(broken("the body is not one whole envelope"));
            }
            compressed = match flags {
                0 => false,
                COMPRESSED if *gzip => true,
                COMPRESSED => return Err(broken("it is compressed, and no header says how")),
                _ => return Err(broken("the envelope's flags are not known")),
            };
        }
        if compressed {
            message = decompress(&message, *max)?;
        }
        codec.read(kind, message)
    }

    /// The next step: a part of the body, or `None` if more has to come.
    fn step(&mut self, data: Option<Result<Bytes, Status>>) -> Option<Result<Bytes, Status>> {
        let failed = |error: Invalid| Some(Err(Status::from(error)));
        match data {
            Some(Ok(data)) => self.take(&data).err().and_then(failed),
            // What breaks off, or breaks the rules of HTTP/1, has no code of its own.
            Some(Err(status)) if status.code() == Code::Unknown => {
                failed(broken("the body has not come whole"))
            }
            Some(Err(status)) => Some(Err(status)),
            None => match self.message() {
                Ok(message) => {
                    let head = prefix(0, message.len());
                    self.state = State::Ready(message);
                    Some(Ok(head))
                }
                Err(error) => failed(error),
            },
        }
    }
}

/// What precedes a message of this length.
pub(super) fn prefix(flags: u8, length: usize) -> Bytes {
    let mut prefix = BytesMut::with_capacity(PREFIX);
    prefix.put_u8(flags);
    prefix.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    prefix.freeze()
}

/// The length that the bytes before a message say it has, once they are there.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(1..PREFIX)?.try_into().ok()?;
    usize::try_from(u32::from_be_bytes(length)).ok()
}

fn broken(why: &str) -> Invalid {
    Invalid::argument("message", format!("can't be read: {why}"))
}

impl HttpBody for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let part = loop {
            match std::mem::replace(&mut self.state, State::Done) {
                State::Refused(status) => break Err(status),
                State::Ready(message) => break Ok(message),
                State::Done => return Poll::Ready(None),
                State::Coming => {}
            }
            // A length that is said beforehand need not be waited for.
            if self.source.size_hint().lower() > self.written.max.saturating_add(PREFIX) as u64 {
                break Err(too_large(self.written.max).into());
            }
            self.state = State::Coming;
            let frame = match Pin::new(&mut self.source).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let Some(late) = &mut self.late else { return Poll::Pending };
                    ready!(late.as_mut().poll(cx));
                    self.state = State::Done;
                    break Err(Error::DeadlineExceeded.into());
                }
            };
            let data = frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default()));
            if let Some(part) = self.step(data) {
                if part.is_err() {
                    self.state = State::Done;
                }
                break part;
            }
        };
        Poll::Ready(Some(part.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;
    use crate::grpc::translate::codec::types;

    #[tokio::test]
    async fn a_message_that_does_not_come_in_its_time_is_late() {
        let kind = types().get_message_by_name("grpc.health.v1.HealthCheckRequest").unwrap();
        let patience = Some(Duration::ZERO);
        let written =
            Written { codec: Codec::Json, kind, gzip: false, in_envelope: false, max: 9, patience };
        let never = stream::pending::<Result<Frame<Bytes>, Status>>();
        let mut body = CallBody::new(Body::new(StreamBody::new(never)), written, None);
        let late = body.frame().await.unwrap().unwrap_err();
        assert_eq!(late.code(), Code::DeadlineExceeded);
        assert!(body.frame().await.is_none());
    }
}
