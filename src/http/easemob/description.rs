//! What the OpenAPI description says of every route of this API.

use serde_json::{Map, Value, json};

use super::error::error_schema;
use crate::http::{
    handler::{Route, VendorApi},
    openapi::{Description, Parameter},
    schema::{Schema, pattern},
};

const TAG: &str = "Easemob";

/// The responses that refuse a request: status, name, description.
const ERRORS: [(&str, &str, &str); 9] = [
    ("400", "BadRequest", "The request itself is wrong."),
    ("401", "Unauthorized", "The request has no valid token of the app."),
    ("403", "LimitReached", "A list has no room."),
    ("404", "NotFound", "There is no such app, or no such user."),
    ("413", "TooLarge", "The body is too large."),
    ("429", "TooOften", "The app's rate is exceeded; Retry-After says when to retry."),
    ("500", "Internal", "An internal error; the service's log has the details."),
    ("503", "Unavailable", "The service can't respond at the moment; every call may be repeated."),
    ("504", "TimeOver", "The call took too long."),
];

/// The usernames that stand in paths, and what each is for.
const USERNAMES: [(&str, &str); 4] = [
    ("owner", "The user whose list it is."),
    ("friend", "The friend."),
    ("blocked", "The blocked user."),
    ("username", "The user."),
];

/// Describes the routes, which are below `prefix`.
pub(super) fn describe<A: VendorApi>(
    prefix: &str,
    routes: Vec<Route<A>>,
    description: &mut Description,
) {
    description.add_tag(
        TAG,
        "As Easemob's REST API: JSON below /{org_name}/{app_name}, an app token as Bearer.",
    );
    let scheme = json!({
        "type": "http",
        "scheme": "bearer",
        "description": "A token from POST /{org_name}/{app_name}/token.",
    });
    description.add_security_scheme("appToken", scheme);
    let part = || pattern("^[A-Za-z0-9_-]{1,64}$");
    let app_key = [
        Parameter::required("path", "org_name", "The part of the app key before the #.", part()),
        Parameter::required("path", "app_name", "The part of the app key after the #.", part()),
    ];
    let app_key = app_key.map(|parameter| description.shared_parameter(parameter));
    let errors = ERRORS.map(|(status, name, text)| {
        let content = description.content("application/json", error_schema());
        let mut response = json!({ "description": text, "content": content });
        if status == "429" {
            let header = json!({ "schema": { "type": "integer" }, "description": "Seconds." });
            response["headers"] = json!({ "Retry-After": header });
        }
        (status, description.shared_response(name, response))
    });
    for route in routes {
        let (method, path) = (route.method.clone(), format!("{prefix}{}", route.path));
        let operation = operation(route, &app_key, &errors, description);
        description.add_operation(method.as_str(), path, operation);
    }
}

fn operation<A: VendorApi>(
    route: Route<A>,
    app_key: &[Value],
    errors: &[(&str, Value)],
    description: &mut Description,
) -> Value {
    let (login, doc) = (route.is_login(), route.doc);
    let usernames = path_parameters(route.path).chain(doc.query);
    let mut parameters = app_key.to_vec();
    parameters.extend(usernames.map(|parameter| description.parameter(parameter)));
    let content = description.content("application/json", doc.response);
    let mut responses = Map::new();
    responses.insert("200".to_owned(), json!({ "description": "Done.", "content": content }));
    for (status, reference) in errors {
        let possible = match *status {
            "401" => !login,
            "403" => doc.list_can_be_full,
            _ => true,
        };
        if possible {
            responses.insert((*status).to_owned(), reference.clone());
        }
    }
    let mut operation = json!({
        "tags": [TAG],
        "summary": doc.summary,
        "operationId": doc.id,
        "parameters": parameters,
        "responses": responses,
        "security": if login { json!([]) } else { json!([{ "appToken": [] }]) },
    });
    if let Some(body) = doc.body {
        let content = description.content("application/json", body);
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    operation
}

/// The parameters of a path, which are all usernames.
fn path_parameters(path: &str) -> impl Iterator<Item = Parameter> {
    let part = |segment: &str| Some(segment.strip_prefix('{')?.strip_suffix('}')?.to_owned());
    path.split('/').filter_map(part).map(|name| {
        let known = USERNAMES.into_iter().find(|(known, _)| *known == name);
        let (name, text) = known.expect("the table's paths have known parameters");
        Parameter::required("path", name, text, username_schema())
    })
}

/// A username in a request.
pub(super) fn username_schema() -> Schema {
    pattern("^[A-Za-z0-9_@-][A-Za-z0-9_.@-]{0,63}$")
        .described("1-64 bytes of a-z 0-9 _ . - @; upper case is folded.")
        .named("Username")
}
