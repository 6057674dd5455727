//! Messages as JSON and as protobuf, by the descriptors of all methods: proto3's mapping of JSON.

use std::sync::LazyLock;

use prost::{Message as _, bytes::Bytes};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};

use crate::{
    domain::{Error, Invalid},
    proto,
};

/// How much of what is wrong with a message the error says, in bytes: it may quote the message.
const MAX_WHY: usize = 200;

/// How the library begins an error about a field that is none.
const UNKNOWN_FIELD: &str = "unrecognized field name '";

static TYPES: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let mut pool = DescriptorPool::new();
    // The last are those of the details of errors.
    for files in [
        proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_types::pb::FILE_DESCRIPTOR_SET,
    ] {
        pool.decode_file_descriptor_set(files).expect("the build wrote the descriptors");
    }
    pool
});

/// The messages and services of befriend and of the health service, and the details of errors.
pub(super) fn types() -> &'static DescriptorPool {
    &TYPES
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    /// As JSON.
    Json,
    /// As protobuf, which gRPC takes as well.
    Proto,
}

impl Codec {
    /// The codec of this name; both protocols use the same two.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "proto" => Some(Self::Proto),
            _ => None,
        }
    }

    /// The message as protobuf.
    ///
    /// # Errors
    /// `Invalid` when it is no JSON, or no such message. A field that the message has not is named.
    pub(super) fn read(self, kind: &MessageDescriptor, message: Bytes) -> Result<Bytes, Invalid> {
        match self {
            Self::Proto => Ok(message),
            Self::Json => read_json(kind, &message),
        }
    }

    /// The message, which is protobuf, in this form.
    ///
    /// # Errors
    /// `Internal` when it is no such message.
    pub(super) fn write(self, kind: &MessageDescriptor, message: Bytes) -> Result<Bytes, Error> {
        match self {
            Self::Proto => Ok(message),
            Self::Json => {
                let size = 2 * message.len() + 16;
                let read = DynamicMessage::decode(kind.clone(), message);
                let message = read.map_err(|error| Error::Internal(error.to_string()))?;
                let mut text = Vec::with_capacity(size);
                let mut json = serde_json::Serializer::new(&mut text);
                // Fields with their default value are left out.
                let written = message.serialize_with_options(&mut json, &SerializeOptions::new());
                written.map_err(|error| Error::Internal(error.to_string()))?;
                Ok(text.into())
            }
        }
    }
}

fn read_json(kind: &MessageDescriptor, text: &[u8]) -> Result<Bytes, Invalid> {
    if text.is_empty() {
        let why = "is empty: a message without fields is {}";
        return Err(Invalid::argument("message", why));
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let read = DynamicMessage::deserialize(kind.clone(), &mut json);
    let message = read.and_then(|message| json.end().map(|()| message));
    let message = message.map_err(|error| why(kind, &error.to_string()))?;
    Ok(message.encode_to_vec().into())
}

fn why(kind: &MessageDescriptor, error: &str) -> Invalid {
    let unknown = error.strip_prefix(UNKNOWN_FIELD);
    match unknown.and_then(|rest| rest.rsplit_once("' at line ")) {
        Some((field, _)) => {
            let why = format!("{} has no such field", kind.full_name());
            Invalid::argument(start(field), why)
        }
        None => Invalid::argument("message", format!("is no {}: {}", kind.name(), start(error))),
    }
}

/// The first part of a text.
fn start(text: &str) -> &str {
    let mut end = MAX_WHY.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str) -> MessageDescriptor {
        types().get_message_by_name(name).unwrap()
    }

    fn read(text: &str) -> Result<Bytes, String> {
        let kind = kind("befriend.v1.AddFriendRequest");
        let read = Codec::Json.read(&kind, Bytes::copy_from_slice(text.as_bytes()));
        read.map_err(|why| why.to_string())
    }

    #[test]
    fn what_is_no_json_of_the_message_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "message: is empty"),
            ("{", "message: is no AddFriendRequest: EOF"),
            ("[]", "message: is no AddFriendRequest: invalid type"),
            ("null", "message: is no AddFriendRequest: invalid type"),
            ("{} {}", "message: is no AddFriendRequest: trailing"),
            (r#"{"owner":5}"#, "message: is no AddFriendRequest: invalid type"),
            (r#"{"frend":"bob"}"#, "frend: befriend.v1.AddFriendRequest has no such field"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.starts_with(reason), "{text}: {why}");
        }
        let long = format!(r#"{{"owner":"a","{}":1}}"#, "ü".repeat(100_000));
        assert!(read(&long).unwrap_err().len() < 300);
    }

    #[test]
    fn names_are_taken_as_json_and_as_the_protos_have_them() {
        let kind = kind("befriend.v1.ListFriendsRequest");
        let read = |text: &'static str| Codec::Json.read(&kind, Bytes::from(text)).unwrap();
        assert_eq!(read(r#"{"pageSize":5}"#), read(r#"{"page_size":"5"}"#));
    }
}
