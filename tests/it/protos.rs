//! What every proto holds besides its messages: the names of its packages in other languages, and for
//! each method what a client may assume when it repeats a call.

use befriend::proto::DESCRIPTORS;
use prost_reflect::{DescriptorPool, MethodDescriptor};
use prost_types::{FileDescriptorProto, method_options::IdempotencyLevel};

use crate::support::raw;

/// The changes that are not IDEMPOTENT, each with what a second, equal call would do.
const NOT_REPEATABLE: &[(&str, &str)] = &[
    ("AppService/CreateApp", "is refused: the app exists"),
    ("AppService/RotateSecret", "makes another secret"),
    ("AppService/DeleteApp", "is refused: the app is gone"),
    ("AppService/CreateCallbackRule", "creates another rule"),
    ("AppService/DeleteCallbackRule", "is refused: the rule is gone"),
    ("AppService/RotateCallbackSecret", "ends the grace time of the secret before"),
    ("AppService/TestCallbackRule", "sends another request"),
    ("EventService/RetryEvent", "sends an event again that was delivered in between"),
    ("EventService/RetryFailedEvents", "retries the next 10000"),
    ("FriendService/SendFriendRequest", "is refused when the first made the two friends"),
    ("TokenService/IssueToken", "issues another token"),
    ("TokenService/RevokeToken", "is refused when the first revoked its own token"),
    ("UserService/BatchCreateUsers", "is refused: the users exist"),
    ("UserService/CreateUser", "is refused: the user exists"),
    ("UserService/DeleteUser", "is refused: the user is gone"),
];

/// What a method's options say about repeated calls.
pub fn idempotency(method: &MethodDescriptor) -> IdempotencyLevel {
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
