//! What every proto holds besides its messages: the names of its packages in other languages, and for
//! each method what a client may assume when it repeats a call.

use std::collections::BTreeSet;

use befriend::{
    clock::Clock,
    proto::{self, DESCRIPTORS},
};
use prost::Message as _;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use prost_types::{FileDescriptorProto, method_options::IdempotencyLevel};
use time::macros::datetime;

use crate::{
    access::{Caller, Known, caller_of, filled, marked_tenant, rows_of},
    support::{TestApp, app::OPERATOR_TOKEN, raw},
};

/// The changes that are not IDEMPOTENT, each with what a second, equal call would do.
const NOT_REPEATABLE: &[(&str, &str)] = &[
    ("AppService/CreateApp", "is refused: the app exists"),
    ("AppService/RotateClientSecret", "makes another secret"),
    ("AppService/DeleteApp", "is refused: the app is gone"),
    ("CallbackRuleService/CreateCallbackRule", "creates another rule"),
    ("CallbackRuleService/DeleteCallbackRule", "is refused: the rule is gone"),
    ("CallbackRuleService/RotateSigningSecret", "ends the grace time of the secret before"),
    ("CallbackRuleService/TestCallbackRule", "sends another request"),
    ("EventService/RetryEvent", "sends an event again that was delivered in between"),
    ("EventService/RetryFailedEvents", "retries the next 10000"),
    ("OperatorTokenService/CreateOperatorToken", "is refused: there is a token of this name"),
    ("OperatorTokenService/RevokeOperatorToken", "is refused: the token is revoked"),
    ("FriendService/SendFriendRequest", "is refused when the first made the two friends"),
    ("TokenService/IssueToken", "issues another token"),
    ("TokenService/RevokeToken", "is refused when the first revoked its own token"),
    ("UserService/BatchCreateUsers", "is refused: the users exist"),
    ("UserService/CreateUser", "is refused: the user exists"),
    ("UserService/DeleteUser", "is refused: the user is gone"),
];

/// What a field of an answer is called that holds such a message, in the plural if it is repeated.
const NAMES: &[(&str, &str)] = &[
    ("App", "app"),
    ("AppLimits", "limits"),
    ("AuditEvent", "audit_event"),
    ("BlockChange", "change"),
    ("CallbackRule", "rule"),
    ("DeliveryAttempt", "attempt"),
    ("Event", "event"),
    ("Friend", "friend"),
    ("FriendChange", "change"),
    ("FriendRequest", "friend_request"),
    ("ListFriendsResponse.Entry", "entry"),
    ("ListSummary", "list_summary"),
    ("OperatorToken", "operator_token"),
    ("Relation", "relation"),
    ("User", "user"),
];

/// A field that is called by what happened to the message that it holds.
const UPSERTED: &str = "befriend.v1.FriendChange.upserted";

/// What a method's options say about repeated calls.
fn idempotency(method: &MethodDescriptor) -> IdempotencyLevel {
    let options = method.method_descriptor_proto().options.clone();
    options.unwrap_or_default().idempotency_level()
}

fn reads(method: &MethodDescriptor) -> bool {
    ["Check", "Get", "List", "Sync", "Watch"].iter().any(|verb| method.name().starts_with(verb))
}

#[test]
fn a_method_that_reads_has_no_side_effects_and_a_change_is_idempotent_or_is_known_not_to_be() {
    let mut not_repeatable: Vec<&str> = NOT_REPEATABLE.iter().map(|(name, _)| *name).collect();
    for method in raw::methods() {
        let name = raw::operation(&method);
        let listed = not_repeatable.iter().position(|other| **other == name);
        let expected = match listed {
            Some(at) => {
                not_repeatable.swap_remove(at);
                IdempotencyLevel::IdempotencyUnknown
            }
            None if reads(&method) => IdempotencyLevel::NoSideEffects,
            None => IdempotencyLevel::Idempotent,
        };
        assert_eq!(
            idempotency(&method),
            expected,
            "{name}: set its idempotency_level, or say in NOT_REPEATABLE what a second call does"
        );
    }
    assert!(not_repeatable.is_empty(), "no such methods: {not_repeatable:?}");
}

#[test]
fn the_service_config_repeats_after_unavailable_what_may_be_repeated() {
    let text = include_str!("../../clients/service-config.json");
    let config: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut found = BTreeSet::new();
    for entry in config["methodConfig"].as_array().unwrap() {
        let codes = entry["retryPolicy"]["retryableStatusCodes"].as_array().unwrap();
        for name in entry["name"].as_array().unwrap() {
            let service = name["service"].as_str().unwrap().trim_start_matches("befriend.v1.");
            let method = format!("{service}/{}", name["method"].as_str().unwrap());
            let repeated = codes.iter().any(|code| code == "UNAVAILABLE");
            let streams = entry.get("timeout").is_none();
            assert!(found.insert((method, repeated, streams)), "{name} is there twice");
        }
    }
    let wanted = raw::methods().into_iter().map(|method| {
        let repeatable = idempotency(&method) != IdempotencyLevel::IdempotencyUnknown;
        (raw::operation(&method), repeatable, method.is_server_streaming())
    });
    assert_eq!(found, wanted.collect(), "run `make clients`");
}

#[tokio::test]
async fn a_method_without_side_effects_changes_no_row_and_an_idempotent_one_changes_none_again() {
    // Times of changes stay the same, and nothing is delivered meanwhile.
    let clock = Clock::stopped_at(datetime!(2026-11-21 12:00 UTC));
    let app = TestApp::with(&["--deliver", "false"], clock).await;
    for (number, method) in raw::methods().into_iter().enumerate() {
        let (name, level) = (raw::operation(&method), idempotency(&method));
        if level == IdempotencyLevel::IdempotencyUnknown {
            continue;
        }
        let app_key = format!("acme#app{number}");
        let tenant =
            marked_tenant(&app, &app_key, &["alice", "bob", "erin", "frank"], "before").await;
        let banned = proto::DeactivateUserRequest { username: "alice".to_owned() };
        tenant.users().deactivate_user(banned).await.unwrap();
        let events = tenant.events().list_events(proto::ListEventsRequest::default()).await;
        let event = events.unwrap().into_inner().events.into_iter().next().unwrap();
        let (rule_id, event_id) = (event.rule_id, event.event_id);
        let known = Known { app_key, rule_id, event_id, ..Known::default() };
        let request = filled(method.name(), method.input(), &known).encode_to_vec();
        let token = match caller_of(&method) {
            Caller::Operator => OPERATOR_TOKEN,
            Caller::App | Caller::AppOrOperator | Caller::Anybody => &tenant.token,
        };
        let bearer = format!("Bearer {token}");
        let call = async || {
            let headers = [("authorization", &*bearer)];
            let answer = raw::call(&app.channel, &method, &headers, request.clone()).await;
            answer.unwrap_or_else(|refused| panic!("{name} was refused: {refused}"));
            rows_of(&tenant, app.pool()).await
        };
        let before = rows_of(&tenant, app.pool()).await;
        let once = call().await;
        let changed = level == IdempotencyLevel::Idempotent;
        assert_eq!(once != before, changed, "{name}: access::value gives a request of a change");
        assert_eq!(call().await, once, "{name} changed something the second time");
    }
}

/// All fields of an answer, and of what it holds.
fn fields(message: &MessageDescriptor) -> Vec<FieldDescriptor> {
    let mut all: Vec<FieldDescriptor> = message.fields().collect();
    let inner = message.fields().filter_map(|field| field.kind().as_message().cloned());
    all.extend(inner.flat_map(|message| fields(&message)));
    all
}

/// What the field should be called by what it holds, and no other field.
fn name_of(field: &FieldDescriptor) -> Option<String> {
    let Kind::Message(held) = field.kind() else { return None };
    let held = held.full_name().strip_prefix("befriend.v1.")?.to_owned();
    let (_, name) = NAMES
        .iter()
        .find(|(message, _)| *message == held)
        .unwrap_or_else(|| panic!("what is a {held} called in an answer? Say it in NAMES"));
    Some(match (field.is_list(), name.strip_suffix('y')) {
        (false, _) => (*name).to_owned(),
        (true, Some(stem)) => format!("{stem}ies"),
        (true, None) => format!("{name}s"),
    })
}

#[test]
fn in_answers_a_name_stands_for_one_kind_of_message_and_for_nothing_else() {
    for method in raw::methods() {
        for field in fields(&method.output()) {
            let expected = name_of(&field);
            let (name, full_name) = (field.name(), field.full_name());
            match expected {
                Some(expected) if full_name != UPSERTED => {
                    assert_eq!(name, expected, "{full_name}");
                }
                Some(_) => {}
                None => {
                    let taken = NAMES.iter().any(|(_, other)| name.trim_end_matches('s') == *other);
                    assert!(!taken, "{full_name} is called like a message, and is none");
                }
            }
        }
    }
}

/// Codes of gRPC that are no reasons too.
const CODES: &[&str] = &[
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "NOT_FOUND",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
];

#[test]
fn every_error_that_a_comment_names_is_a_reason() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let enums: Vec<_> = pool.all_enums().filter(|of| of.package_name() == "befriend.v1").collect();
    let values = enums.iter().flat_map(|of| of.values()).map(|value| value.name().to_owned());
    let values: BTreeSet<String> = values.collect();
    let is_known = |word: &str| {
        let reason = format!("ERROR_REASON_{word}");
        CODES.contains(&word) || values.contains(word) || values.contains(&reason)
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/proto/befriend/v1");
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let comments = text.lines().filter_map(|line| line.trim_start().strip_prefix("// "));
        let words =
            comments.flat_map(|line| line.split(|c: char| c != '_' && !c.is_ascii_uppercase()));
        for word in words.filter(|word| word.contains('_') && word.trim_matches('_') == *word) {
            assert!(is_known(word), "{}: {word} is no reason and no value", path.display());
        }
    }
}

#[test]
fn every_file_names_its_package_in_other_languages() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let ours = pool.files().filter(|file| file.package_name() == "befriend.v1");
    let files: Vec<FileDescriptorProto> =
        ours.map(|file| file.file_descriptor_proto().clone()).collect();
    assert!(!files.is_empty());
    for file in files {
        let name = file.name().to_owned();
        let options = file.options.unwrap_or_default();
        assert_eq!(options.go_package(), "befriend/v1;befriendv1", "{name}");
        assert_eq!(options.java_package(), "befriend.v1", "{name}");
        assert!(options.java_multiple_files(), "{name}");
        assert!(options.java_outer_classname().ends_with("Proto"), "{name}");
        assert_eq!(options.csharp_namespace(), "Befriend.V1", "{name}");
    }
}
