//! The OpenAPI description as a page for people: `GET /docs`. One page without scripts, and nothing in it is
//! fetched from elsewhere.

use std::fmt::{self, Write as _};

use serde_json::{Map, Value};

const STYLE: &str = "
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; display: flex; }
nav { width: 22rem; height: 100vh; overflow-y: auto; position: sticky; top: 0; flex: none;
      padding: 1rem; box-sizing: border-box; background: #f6f8fa; font-size: 13px; }
nav a { display: block; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
main { padding: 1rem 2rem 40vh; max-width: 60rem; min-width: 0; }
a { color: #0550ae; text-decoration: none; } a:hover { text-decoration: underline; }
h2 { border-bottom: 1px solid #d0d7de; margin-top: 3rem; } h3 { margin: 2.5rem 0 .5rem; }
code { font: 13px ui-monospace, monospace; background: #f0f2f4; padding: 0 .2em; overflow-wrap: anywhere; }
.method { text-transform: uppercase; font-weight: 600; color: #1a7f37; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
td p { margin: 0; }
td { overflow-wrap: anywhere; }
td, th { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-top: 1px solid #eaeef2; }
@media (max-width: 60rem) { body { display: block; } nav { width: auto; height: auto; position: static; } }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; } nav, code { background: #161b22; } a { color: #79c0ff; }
  h2, td, th { border-color: #30363d; } .method { color: #56d364; }
}
";

/// The page of a description.
pub(super) fn page(description: &Value) -> String {
    let mut page = String::new();
    // Writing to a String can't fail.
    let _ = write_page(&mut page, description);
    page
}

fn write_page(page: &mut String, description: &Value) -> fmt::Result {
    let info = &description["info"];
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\"><title>{title} {version}</title>\
         <style>{STYLE}</style></head><body>",
        title = text(&info["title"]),
        version = text(&info["version"]),
    )?;
    let tags: Vec<_> = array(&description["tags"]).iter().collect();
    page.push_str("<nav>");
    for tag in &tags {
        write!(page, "<p><b>{}</b>", text(&tag["name"]))?;
        for (method, path, operation) in operations(description, &tag["name"]) {
            if method == "get"
                && operation["operationId"].as_str().is_some_and(|id| id.ends_with("_get"))
            {
                continue;
            }
            let id = text(&operation["operationId"]);
            let summary = operation["summary"].as_str().unwrap_or_default();
            let name = if path.contains(".v1.") { path.rsplit('/').next() } else { None };
            write!(page, "<a href=\"#{id}\">{}</a>", escaped(name.unwrap_or(summary)))?;
        }
        page.push_str("</p>");
    }
    write!(
        page,
        "<p><a href=\"#schemas\"><b>Schemas</b></a><a href=\"openapi.json\"><b>openapi.json</b></a></p></nav><main>\
         <h1>{} {}</h1>{}",
        text(&info["title"]),
        text(&info["version"]),
        paragraphs(&info["description"]),
    )?;
    for tag in &tags {
        write!(page, "<h2>{}</h2>{}", text(&tag["name"]), paragraphs(&tag["description"]))?;
        for (method, path, operation) in operations(description, &tag["name"]) {
            write_operation(page, description, method, path, operation)?;
        }
    }
    page.push_str("<h2 id=\"schemas\">Schemas</h2>");
    for (name, schema) in members(&description["components"]["schemas"]) {
        write!(page, "<h3 id=\"schema-{0}\"><code>{0}</code></h3>", escaped(name))?;
        write!(page, "{}", paragraphs(&schema["description"]))?;
        write_schema(page, schema)?;
    }
    page.push_str("</main></body></html>\n");
    Ok(())
}

fn write_operation(
    page: &mut String,
    description: &Value,
    method: &str,
    path: &str,
    operation: &Value,
) -> fmt::Result {
    write!(
        page,
        "<h3 id=\"{id}\">{summary}</h3><p><span class=\"method\">{method}</span> <code>{path}</code></p>",
        id = text(&operation["operationId"]),
        summary = text(&operation["summary"]),
        path = escaped(path),
    )?;
    page.push_str(&paragraphs(&operation["description"]));
    let parameters = array(&operation["parameters"]);
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>parameter</th><th>type</th><th></th></tr>");
        for parameter in parameters {
            let parameter = resolved(description, parameter);
            let schema = match members(&parameter["content"]).next() {
                Some((_, content)) => &content["schema"],
                None => &parameter["schema"],
            };
            row(
                page,
                &format!("<code>{}</code> ({})", text(&parameter["name"]), text(&parameter["in"])),
                schema,
                &parameter["description"],
            )?;
        }
        page.push_str("</table>");
    }
    for (media, content) in members(&operation["requestBody"]["content"]) {
        write!(page, "<p>Body, <code>{}</code>: {}</p>", escaped(media), kind(&content["schema"]))?;
        page.push_str(&paragraphs(&operation["requestBody"]["description"]));
    }
    page.push_str("<table><tr><th>status</th><th></th><th></th></tr>");
    for (status, response) in members(&operation["responses"]) {
        let response = resolved(description, response);
        let content = members(&response["content"]).next().map(|(_, content)| &content["schema"]);
        row(page, &escaped(status), content.unwrap_or(&Value::Null), &response["description"])?;
    }
    page.push_str("</table>");
    Ok(())
}

/// What a schema holds, as a table.
fn write_schema(page: &mut String, schema: &Value) -> fmt::Result {
    if schema["properties"].is_null() {
        return write!(page, "<p>{}</p>", kind(schema));
    }
    page.push_str("<table>");
    for (name, property) in members(&schema["properties"]) {
        let required = array(&schema["required"]).iter().any(|required| required == name);
        let mark = if required { " *" } else { "" };
        row(
            page,
            &format!("<code>{}</code>{mark}", escaped(name)),
            property,
            &property["description"],
        )?;
    }
    page.push_str("</table>");
    Ok(())
}

fn row(page: &mut String, first: &str, schema: &Value, description: &Value) -> fmt::Result {
    write!(
        page,
        "<tr><td>{first}</td><td>{}</td><td>{}</td></tr>",
        kind(schema),
        paragraphs(description)
    )
}

/// A schema in a few words, with links to the schemas that it refers to.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = escaped(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    for (keyword, between) in [("oneOf", " or "), ("allOf", " and "), ("anyOf", " or ")] {
        if let Some(parts) = schema[keyword].as_array() {
            return parts.iter().map(kind).collect::<Vec<_>>().join(between);
        }
    }
    if !schema["const"].is_null() {
        return format!("<code>{}</code>", escaped(&schema["const"].to_string()));
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<_> =
            values.iter().map(|value| format!("<code>{}</code>", text(value))).collect();
        return values.join(" ");
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("array of {}", kind(&schema["items"])),
        Value::String(name) if name == "object" && schema["additionalProperties"].is_object() => {
            format!("object of {}", kind(&schema["additionalProperties"]))
        }
        Value::String(name) => escaped(name),
        Value::Array(names) => names.iter().map(text).collect::<Vec<_>>().join(" or "),
        _ => String::new(),
    }
}

/// The operations of a tag: method, path, and what is said of each.
fn operations<'d>(
    description: &'d Value,
    tag: &'d Value,
) -> impl Iterator<Item = (&'d str, &'d str, &'d Value)> {
    members(&description["paths"]).flat_map(move |(path, methods)| {
        members(methods)
            .filter(move |(_, operation)| array(&operation["tags"]).contains(tag))
            .map(move |(method, operation)| (method, path, operation))
    })
}

/// What a reference stands for; anything else is itself.
fn resolved<'d>(description: &'d Value, value: &'d Value) -> &'d Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| description.pointer(pointer)).unwrap_or(value)
}

fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter).map(|(name, value)| (name.as_str(), value))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text of the description, for HTML.
fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

/// The paragraphs and lists of a text, with what stands between backticks as code.
fn paragraphs(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    let mut html = String::new();
    for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.is_empty()) {
        let mut pieces = escaped(paragraph).replace("\n- ", "<br>• ");
        while let Some((before, rest)) = pieces.split_once('`')
            && let Some((code, after)) = rest.split_once('`')
        {
            pieces = format!("{before}<code>{code}</code>{after}");
        }
        html.push_str("<p>");
        html.push_str(&pieces);
        html.push_str("</p>");
    }
    html
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_is_no_markup_but_code_is() {
        assert_eq!(
            paragraphs(&json!("a <b> `c&d`\n\nx")),
            "<p>a &lt;b&gt; <code>c&amp;d</code></p><p>x</p>"
        );
    }

    #[test]
    fn a_schema_is_told_in_a_few_words() {
        assert_eq!(kind(&json!({ "type": ["string", "null"] })), "string or null");
        assert_eq!(
            kind(&json!({ "type": "array", "items": { "type": "integer" } })),
            "array of integer"
        );
        let reference = json!({ "$ref": "#/components/schemas/User" });
        assert_eq!(kind(&reference), "<a href=\"#schema-User\">User</a>");
    }
}
