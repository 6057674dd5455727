//! The fields of an entry: UpdateFriend and its mask, and what AddFriend sets.

use befriend::{clock::Clock, proto};
use tonic::{Code, Status};

use crate::support::{
    Tenant, TestApp, expect_error, invariants, metadata, tenant::acme, tenant::strings,
};

/// Alice and bob, who are friends.
async fn friends() -> (TestApp, Tenant) {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    (app, tenant)
}

/// Changes alice's entry of bob: remark, extension and server extension, and the mask if there is one.
/// Without a mask, empty texts are absent.
async fn update(
    tenant: &Tenant,
    [remark, extension, server_extension]: [&str; 3],
    mask: Option<&[&str]>,
) -> Result<proto::Friend, Status> {
    let masked = mask.is_some_and(|mask| !mask.is_empty());
    let given = |text: &str| (masked || !text.is_empty()).then(|| text.to_owned());
    let paths = |mask: &[&str]| mask.iter().map(|path| (*path).to_owned()).collect();
    let request = proto::UpdateFriendRequest {
        owner: "alice".to_owned(),
        friend: "bob".to_owned(),
        remark: given(remark),
        extension: given(extension),
        server_extension: given(server_extension),
        update_mask: mask.map(|mask| prost_types::FieldMask { paths: paths(mask) }),
    };
    Ok(tenant.friends().update_friend(request).await?.into_inner().friend.unwrap())
}

fn fields(entry: &proto::Friend) -> [&str; 3] {
    [&entry.remark, &entry.extension, &entry.server_extension]
}

#[tokio::test]
async fn a_mask_names_what_changes_and_all_else_stays() {
    let (app, tenant) = friends().await;
    update(&tenant, ["r", "e", "s"], None).await.unwrap();
    let cases: [(&[&str], [&str; 3]); 4] = [
        (&["remark"], ["R", "e", "s"]),
        (&["extension"], ["R", "E", "s"]),
        (&["server_extension"], ["R", "E", "S"]),
        (&["extension", "remark", "extension"], ["R", "E", "S"]),
    ];
    for (mask, expected) in cases {
        let entry = update(&tenant, ["R", "E", "S"], Some(mask)).await.unwrap();
        assert_eq!(fields(&entry), expected, "{mask:?}");
        assert_eq!(tenant.entry("alice", "bob").await.unwrap(), entry);
    }
    let other = tenant.entry("bob", "alice").await.unwrap();
    assert_eq!((fields(&other), other.version), (["", "", ""], 1), "the owner's entry only");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn what_is_named_and_empty_is_cleared_and_what_is_not_named_is_not() {
    let (_app, tenant) = friends().await;
    update(&tenant, ["r", "e", "s"], None).await.unwrap();
    let entry = update(&tenant, ["", "", ""], Some(&["extension"])).await.unwrap();
    assert_eq!(fields(&entry), ["r", "", "s"]);
    let all = ["remark", "extension", "server_extension"];
    let entry = update(&tenant, ["", "", ""], Some(&all)).await.unwrap();
    assert_eq!(fields(&entry), ["", "", ""]);
}

#[tokio::test]
async fn without_a_mask_what_is_present_changes() {
    let (_app, tenant) = friends().await;
    update(&tenant, ["r", "", "s"], None).await.unwrap();
    for mask in [None, Some(&[][..])] {
        let entry = update(&tenant, ["", "e", ""], mask).await.unwrap();
        assert_eq!(fields(&entry), ["r", "e", "s"]);
    }
}

#[tokio::test]
async fn what_is_present_and_empty_is_cleared_and_so_is_what_is_named_and_absent() {
    let (_app, tenant) = friends().await;
    update(&tenant, ["r", "e", "s"], None).await.unwrap();
    let request = |extension: Option<&str>, mask: &[&str]| proto::UpdateFriendRequest {
        owner: "alice".to_owned(),
        friend: "bob".to_owned(),
        extension: extension.map(str::to_owned),
        update_mask: Some(prost_types::FieldMask { paths: strings(mask) }),
        ..proto::UpdateFriendRequest::default()
    };
    for (request, left) in
        [(request(Some(""), &[]), ["r", "", "s"]), (request(None, &["remark"]), ["", "", "s"])]
    {
        let answer = tenant.friends().update_friend(request).await.unwrap().into_inner();
        assert_eq!(fields(&answer.friend.unwrap()), left);
    }
}

#[tokio::test]
async fn what_is_the_same_already_takes_no_version_and_no_time() {
    let (_app, tenant) = friends().await;
    let set = update(&tenant, ["r", "e", "s"], None).await.unwrap();
    assert_eq!(set.version, 2, "three members, one change");
    for mask in [None, Some(&["remark", "extension", "server_extension"][..])] {
        assert_eq!(update(&tenant, ["r", "e", "s"], mask).await.unwrap(), set);
    }
    assert_eq!(update(&tenant, ["", "", ""], None).await.unwrap(), set);
    assert_eq!(tenant.head("alice").await.unwrap().version, 2);
    assert_eq!(tenant.head("bob").await.unwrap().version, 1);
}

#[tokio::test]
async fn an_update_refuses_what_no_entry_can_hold() {
    let (_app, tenant) = friends().await;
    let (long, longer) = ("好".repeat(101), "好".repeat(257));
    let cases = [
        ([&*long, "", ""], "INVALID_REMARK", "remark"),
        (["", &*longer, ""], "INVALID_EXTENSION", "extension"),
        (["", "", &*longer], "INVALID_EXTENSION", "server_extension"),
        (["", "a\0b", ""], "INVALID_EXTENSION", "extension"),
    ];
    for (texts, reason, field) in cases {
        for mask in [None, Some(&["remark", "extension", "server_extension"][..])] {
            let refused = update(&tenant, texts, mask).await;
            let details = expect_error(refused, Code::InvalidArgument, reason);
            assert_eq!(metadata(&details, "field"), field);
        }
    }
    for path in ["username", "Remark", "", "*", "friend.remark"] {
        let refused = update(&tenant, ["r", "", ""], Some(&["remark", path])).await;
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_ARGUMENT");
        assert_eq!(metadata(&details, "field"), "update_mask");
    }
    let full = "好".repeat(256);
    let entry = update(&tenant, ["", &full, &full], None).await.unwrap();
    assert_eq!(fields(&entry), ["", &*full, &*full]);
}

#[tokio::test]
async fn only_an_entry_that_stands_is_updated() {
    let (_app, tenant) = friends().await;
    tenant.unfriend("alice", "bob").await.unwrap();
    let refused = update(&tenant, ["r", "", ""], None).await;
    expect_error(refused, Code::FailedPrecondition, "NOT_FRIENDS");
    tenant.delete("bob").await.unwrap();
    let refused = update(&tenant, ["r", "", ""], None).await;
    let details = expect_error(refused, Code::NotFound, "USER_NOT_FOUND");
    assert_eq!(metadata(&details, "username"), "bob");
}

#[tokio::test]
async fn a_change_of_the_remark_is_told_and_of_extensions_not() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    app.keep_events(&tenant).await;
    update(&tenant, ["", "e", "s"], None).await.unwrap();
    update(&tenant, ["r", "e2", "s"], None).await.unwrap();
    update(&tenant, ["r", "e3", "s"], None).await.unwrap();
    update(&tenant, ["", "", ""], Some(&["remark"])).await.unwrap();
    let events = ["friend.remark_set alice>bob r", "friend.remark_set alice>bob"];
    assert_eq!(app.told().await, events);
}

#[tokio::test]
async fn an_add_sets_the_owners_server_extension_of_a_new_entry_only() {
    let (_app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend_with("alice", "bob", "from the web").await.unwrap();
    assert_eq!(fields(&tenant.entry("alice", "bob").await.unwrap()), ["", "", "from the web"]);
    assert_eq!(fields(&tenant.entry("bob", "alice").await.unwrap()), ["", "", ""]);
    tenant.befriend_with("alice", "bob", "again").await.unwrap();
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().server_extension, "from the web");
}

#[tokio::test]
async fn of_a_removed_entry_only_the_remark_comes_back_and_only_if_it_was_not_cleared() {
    let (app, tenant) = friends().await;
    update(&tenant, ["r", "e", "s"], None).await.unwrap();
    tenant.unfriend("alice", "bob").await.unwrap();
    tenant.befriend_with("bob", "alice", "bob's").await.unwrap();
    assert_eq!(fields(&tenant.entry("alice", "bob").await.unwrap()), ["r", "", ""]);
    tenant.unfriend_and_forget("alice", "bob").await.unwrap();
    tenant.ask("bob", "alice", "").await.unwrap();
    tenant.accept("bob", "alice").await.unwrap();
    assert_eq!(fields(&tenant.entry("alice", "bob").await.unwrap()), ["", "", ""]);
    invariants::hold(app.pool()).await;
}
