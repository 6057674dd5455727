//! Messages and enums as JSON schemas, by the JSON mapping of proto3.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use super::comments::Comments;

/// The schemas that the description refers to, by the full names of their types.
pub(super) struct Schemas<'c> {
    comments: &'c Comments,
    done: BTreeMap<String, Value>,
    /// What requests are made of, and what answers are.
    taken: BTreeSet<String>,
    sent: BTreeSet<String>,
}

impl<'c> Schemas<'c> {
    pub(super) fn new(comments: &'c Comments) -> Self {
        let (taken, sent) = (BTreeSet::new(), BTreeSet::new());
        Self { comments, done: BTreeMap::new(), taken, sent }
    }

    /// A reference to the schema of a message that callers send: it has no members but those of the message,
    /// because the service refuses others by their name.
    pub(super) fn request(&mut self, message: &MessageDescriptor) -> Value {
        reach(message, &mut self.taken);
        self.message(message)
    }

    /// A reference to the schema of a message that the service sends: later versions may have more members.
    pub(super) fn response(&mut self, message: &MessageDescriptor) -> Value {
        reach(message, &mut self.sent);
        self.message(message)
    }

    /// The schemas by name.
    pub(super) fn finish(mut self) -> Map<String, Value> {
        for name in self.taken.difference(&self.sent) {
            if let Some(schema) = self.done.get_mut(name) {
                schema["additionalProperties"] = false.into();
            }
        }
        for name in self.sent.difference(&self.taken) {
            if let Some(schema) = self.done.get_mut(name) {
                write_numbers(&mut schema["properties"]);
            }
        }
        self.done.into_iter().collect()
    }

    fn message(&mut self, message: &MessageDescriptor) -> Value {
        let name = message.full_name().to_owned();
        if let Some(known) = well_known(&name) {
            return known;
        }
        if !self.done.contains_key(&name) {
            // Before its fields, which may refer to it.
            self.done.insert(name.clone(), Value::Null);
            let mut properties = Map::new();
            for field in message.fields() {
                properties.insert(field.json_name().to_owned(), self.field(&field));
            }
            let mut schema = json!({ "type": "object", "properties": properties });
            let said = self.comments.of(&message.parent_file(), message.path());
            if !said.is_empty() {
                schema["description"] = said.into();
            }
            self.done.insert(name.clone(), schema);
        }
        reference(&name)
    }

    fn enumeration(&mut self, kind: &EnumDescriptor) -> Value {
        let name = kind.full_name().to_owned();
        if !self.done.contains_key(&name) {
            let file = kind.parent_file();
            let values: Vec<_> = kind.values().map(|value| value.name().to_owned()).collect();
            let mut said = self.comments.of(&file, kind.path());
            for value in kind.values() {
                let about = self.comments.of(&file, value.path());
                let about = about.split("\n\n").next().unwrap_or_default();
                said.push_str(&format!("\n- `{}`: {about}", value.name()));
            }
            let schema = json!({ "type": "string", "enum": values, "description": said });
            self.done.insert(name.clone(), schema);
        }
        reference(&name)
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let mut schema = if field.is_map() {
            let Kind::Message(entry) = field.kind() else {
                unreachable!("a map is made of entries")
            };
            let values = self.kind(&entry.map_entry_value_field().kind());
            json!({ "type": "object", "additionalProperties": values })
        } else if field.is_list() {
            json!({ "type": "array", "items": self.kind(&field.kind()) })
        } else {
            self.kind(&field.kind())
        };
        let mut said = self.comments.of(&field.parent_message().parent_file(), field.path());
        if let Some(oneof) = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
            let others: Vec<_> = oneof
                .fields()
                .filter(|other| other.number() != field.number())
                .map(|other| format!("`{}`", other.json_name()))
                .collect();
            said.push_str(&format!(" Never together with {}.", others.join(", ")));
        }
        if !said.is_empty() {
            schema["description"] = said.into();
        }
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({ "type": "integer", "format": "int32" })
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({ "type": "integer", "format": "uint32", "minimum": 0 })
            }
            // JavaScript's numbers can't hold all of them: the service writes strings, and takes both.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({ "type": ["string", "integer"], "format": "int64" })
            }
            Kind::Uint64 | Kind::Fixed64 => {
                json!({ "type": ["string", "integer"], "format": "uint64" })
            }
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Message(message) => self.message(message),
            Kind::Enum(kind) => self.enumeration(kind),
        }
    }
}

/// Adds the names of all messages that this one is made of, and its own.
fn reach(message: &MessageDescriptor, names: &mut BTreeSet<String>) {
    if names.insert(message.full_name().to_owned()) {
        for field in message.fields() {
            if let Kind::Message(part) = field.kind() {
                reach(&part, names);
            }
        }
    }
}

/// Turns the numbers of 64 bits in a schema into strings, as which they are always written.
fn write_numbers(schema: &mut Value) {
    let Value::Object(members) = schema else { return };
    if members.get("type").is_some_and(Value::is_array) {
        members.insert("type".to_owned(), "string".into());
    }
    members.values_mut().for_each(write_numbers);
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The JSON of types that have a form of their own.
fn well_known(name: &str) -> Option<Value> {
    Some(match name {
        "google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "google.protobuf.Duration" => json!({
            "type": "string",
            "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$",
            "examples": ["3600s"],
        }),
        "google.protobuf.FieldMask" => json!({
            "type": "string",
            "examples": ["nickname,remark"],
        }),
        _ => return None,
    })
}
