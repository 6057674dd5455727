//! JSON schemas for the OpenAPI description.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A schema. One that has a name stands among the description's components; others refer to it.
#[derive(Clone, Debug)]
pub(super) struct Schema {
    json: Value,
    components: BTreeMap<&'static str, Value>,
}

/// A member of an object: its name, with a "?" behind it if it is optional, and its schema.
type Member = (&'static str, Schema);

impl Schema {
    fn new(json: Value) -> Self {
        Self { json, components: BTreeMap::new() }
    }

    /// The same schema with another keyword.
    pub(super) fn with(mut self, keyword: &str, value: impl Into<Value>) -> Self {
        self.json[keyword] = value.into();
        self
    }

    /// The same schema with a description.
    pub(super) fn described(self, description: impl Into<String>) -> Self {
        self.with("description", description.into())
    }

    /// The same schema as a component with this name.
    pub(super) fn named(mut self, name: &'static str) -> Self {
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        let json = std::mem::replace(&mut self.json, reference);
        self.components.insert(name, json);
        self
    }

    /// The schema as it stands where it is used; its components, and those of its parts, go to
    /// `components`.
    pub(super) fn into_json(self, components: &mut BTreeMap<&'static str, Value>) -> Value {
        components.extend(self.components);
        self.json
    }
}

fn of_type(name: &str) -> Schema {
    Schema::new(json!({ "type": name }))
}

pub(super) fn string() -> Schema {
    of_type("string")
}

/// A string of at most `max` characters.
pub(super) fn text(max: usize) -> Schema {
    string().with("maxLength", max)
}

/// A string that matches a regular expression.
pub(super) fn pattern(regex: impl Into<String>) -> Schema {
    string().with("pattern", regex.into())
}

pub(super) fn nullable_string() -> Schema {
    of_types(["string", "null"])
}

/// A value of either type.
pub(super) fn of_types(names: [&str; 2]) -> Schema {
    Schema::new(json!({ "type": names }))
}

pub(super) fn integer() -> Schema {
    of_type("integer")
}

pub(super) fn boolean() -> Schema {
    of_type("boolean")
}

/// One value and no other.
pub(super) fn constant(value: impl Into<Value>) -> Schema {
    Schema::new(json!({ "const": value.into() }))
}

/// One of several values.
pub(super) fn one_value_of(values: &[impl Into<Value> + Clone]) -> Schema {
    let values = values.iter().cloned().map(Into::into);
    Schema::new(json!({ "enum": values.collect::<Vec<Value>>() }))
}

pub(super) fn array(items: Schema) -> Schema {
    Schema { json: json!({ "type": "array", "items": items.json }), components: items.components }
}

/// An array of 1 to `max` items.
pub(super) fn bounded_array(items: Schema, max: usize) -> Schema {
    array(items).with("minItems", 1).with("maxItems", max)
}

/// An array without items.
pub(super) fn empty_array() -> Schema {
    array(Schema::new(json!({}))).with("maxItems", 0)
}

/// An object that may have other members: a request's.
pub(super) fn object(members: impl IntoIterator<Item = Member>) -> Schema {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    let mut components = BTreeMap::new();
    for (name, schema) in members {
        if !name.ends_with('?') {
            required.push(name);
        }
        properties.insert(name.trim_end_matches('?').to_owned(), schema.into_json(&mut components));
    }
    let json = json!({ "type": "object", "properties": properties, "required": required });
    Schema { json, components }
}

/// An object that has no other members: a response's.
pub(super) fn closed_object(members: impl IntoIterator<Item = Member>) -> Schema {
    object(members).with("additionalProperties", false)
}

/// An object of any names, with values of one kind.
pub(super) fn map(values: Schema) -> Schema {
    let json = json!({ "type": "object", "additionalProperties": values.json });
    Schema { json, components: values.components }
}

/// Exactly one of several schemas.
pub(super) fn one_of(schemas: impl IntoIterator<Item = Schema>) -> Schema {
    let mut components = BTreeMap::new();
    let schemas = schemas.into_iter().map(|schema| schema.into_json(&mut components));
    let json = json!({ "oneOf": schemas.collect::<Vec<_>>() });
    Schema { json, components }
}

/// A user's, an app's or an entry's UUID.
pub(super) fn uuid() -> Schema {
    string().with("format", "uuid").named("Uuid")
}

/// A time.
pub(super) fn milliseconds() -> Schema {
    let time = integer().with("format", "int64");
    time.described("Unix time in milliseconds.").named("Millis")
}
