//! Calls by GET: the message stands in the query.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use prost::bytes::Bytes;
use tonic::Status;

use super::{codec::Codec, gzip::is_compressed};
use crate::domain::Invalid;

/// For URLs, with padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A call that a query makes.
#[derive(Debug)]
pub(super) struct Query {
    /// `None` if the query names none that is known: JSON is that of the error then.
    pub(super) codec: Option<Codec>,
    pub(super) gzip: bool,
    pub(super) message: Bytes,
}

impl Query {
    /// Reads a query, and what is wrong with it.
    pub(super) fn read(query: &str) -> (Self, Option<Status>) {
        let mut read = Self { codec: None, gzip: false, message: Bytes::new() };
        let refusal = read.take(query).err();
        (read, refusal)
    }

    fn take(&mut self, query: &str) -> Result<(), Status> {
        let (mut message, mut base64) = (None, false);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "encoding" => self.codec = Codec::of_name(&value),
                "message" => message = Some(value),
                "base64" => base64 = value == "1",
                "compression" => self.gzip = is_compressed(&value)?,
                "connect" if value != "v1" => {
                    return Err(Invalid::argument("connect", "must be v1").into());
                }
                // As in a form of HTML: what nobody knows is nobody's.
                _ => {}
            }
        }
        if self.codec.is_none() {
            return Err(Invalid::argument("encoding", "must be json or proto").into());
        }
        let message = message.ok_or_else(|| Invalid::argument("message", "is missing"))?;
        self.message = if base64 {
            let decoded = BASE64.decode(&*message);
            decoded.map_err(|_| Invalid::argument("message", "is not base64 for URLs"))?.into()
        } else {
            message.into_owned().into()
        };
        Ok(())
    }
}
