//! Messages and their fields in TypeScript.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::PACKAGE;

/// The name of a message in TypeScript; one within another has both names.
pub fn name_of(message: &MessageDescriptor) -> String {
    let name = message.full_name();
    name.strip_prefix(PACKAGE).unwrap_or(name).replace('.', "")
}

/// Whether a field holds such a message.
pub fn is_known(field: &FieldDescriptor, name: &str) -> bool {
    field.kind().as_message().is_some_and(|message| message.full_name() == name)
}

/// The type of a field.
pub fn kind_of(field: &FieldDescriptor, given: bool) -> String {
    let one = match field.kind() {
        Kind::String => "string".to_owned(),
        Kind::Bool => "boolean".to_owned(),
        Kind::Int32 => "number".to_owned(),
        Kind::Int64 if given => "bigint | number".to_owned(),
        Kind::Int64 => "bigint".to_owned(),
        Kind::Enum(of) => of.name().to_owned(),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" if given => "Date | string".to_owned(),
            "google.protobuf.Timestamp" => "Date".to_owned(),
            "google.protobuf.Duration" => "number".to_owned(),
            "google.protobuf.FieldMask" => "readonly string[]".to_owned(),
            _ => name_of(&message),
        },
        kind => panic!("{}: give {kind:?} a type in TypeScript", field.full_name()),
    };
    match (field.is_list(), given) {
        (false, _) => one,
        (true, true) => format!("readonly {one}[]"),
        (true, false) => format!("{one}[]"),
    }
}

/// The codec of a field.
pub fn codec(field: &FieldDescriptor) -> String {
    let (one, absent) = match field.kind() {
        Kind::String => ("text".to_owned(), false),
        Kind::Bool => ("flag".to_owned(), false),
        Kind::Int32 => ("int32".to_owned(), false),
        Kind::Int64 => ("int64".to_owned(), false),
        Kind::Enum(of) => (format!("choice(\"{}\")", of.default_value().name()), false),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => ("time".to_owned(), true),
            "google.protobuf.Duration" => ("duration".to_owned(), true),
            "google.protobuf.FieldMask" => ("mask".to_owned(), true),
            _ => (format!("message(() => {})", name_of(&message)), true),
        },
        kind => panic!("{}: give {kind:?} a codec", field.full_name()),
    };
    match (field.is_list(), field.supports_presence() && !absent) {
        (true, _) => format!("list({one})"),
        (false, true) => format!("optional({one})"),
        (false, false) => one,
    }
}

/// A field's name in TypeScript.
pub fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (head, tail) = part.split_at(part.len().min(1));
        text + &head.to_ascii_uppercase() + tail
    })
}
