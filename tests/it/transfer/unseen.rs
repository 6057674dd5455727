//! Errors that an import could overlook: unclosed quotes, times that can't be written, users who differ from
//! their records, and users whose deletion is not complete.

use std::fs;

use befriend::{proto, server::upkeep};

use super::{Ran, export, folder, import, run};
use crate::support::{TestApp, invariants, tenant::acme};

#[track_caller]
fn named(ran: &Ran, expected: &[&str]) {
    assert_eq!(ran.complaints(), expected, "{}", ran.stderr);
}

#[tokio::test]
async fn a_quote_that_is_not_closed_costs_its_line_and_none_below() {
    const WHY: &str = "a cell begins with a quote and ends without one";
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave", "erin", "frank"]).await;
    let files = folder(&[(
        "friends.csv",
        "owner,friend,remark\r\n\
         alice,bob,\"oops\r\n\
         alice,carol,\"two\r\nlines\"\r\n\
         alice,dave,\"over\" here\r\n\
         \r\n\
         alice,erin,\"closed\"\r\n\
         alice,frank,\"oops\r\n\
         bob,carol,fine\r\n",
    )]);
    let ran = import(&app, "acme#chat", files.path(), &[]);
    ran.badly(&[
        "users: 0 lines, 0 added, 0 there already",
        "friends: 6 lines, 3 added, 0 there already, 3 added for the other side, 3 \
         bad",
        "blocks: 0 lines, 0 added, 0 there already",
    ]);
    named(
        &ran,
        &["friends.csv:2", "friends.csv:5", "friends.csv:8"]
            .map(|l| format!("{l}: {WHY}"))
            .each_ref()
            .map(String::as_str),
    );
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["carol", "erin"]);
    assert_eq!(tenant.entry("alice", "carol").await.unwrap().remark, "two\r\nlines");
    assert_eq!(tenant.friends_of("carol").await.unwrap(), ["alice", "bob"]);
}

#[tokio::test]
async fn a_line_without_an_end_costs_itself_however_much_follows() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    // Beyond the longest record that is read.
    let far = 1_200_000;
    let same = format!("alice,bob,{}\n", "x".repeat(120));
    let friends = format!(
        "\u{feff}owner,friend,remark\nalice,carol,\"oops\n{}alice,carol,{}\n{}alice,dave,\"last",
        same.repeat(far / same.len()),
        "y".repeat(far),
        "\n".repeat(far),
    );
    let files = folder(&[("friends.csv", &friends)]);
    let ran = import(&app, "acme#chat", files.path(), &[]);
    assert!(!ran.ok);
    let (long, last) = (3 + far / same.len(), 4 + far / same.len() + far);
    named(
        &ran,
        &[
            "friends.csv:2: a cell begins with a quote and ends without one",
            &format!("friends.csv:{long}: is longer than 65536 bytes"),
            &format!("friends.csv:{last}: a cell begins with a quote and ends without one"),
        ],
    );
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
}

#[tokio::test]
async fn a_time_goes_in_as_utc_or_not_at_all() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    let times = [
        ("alice", "bob", "2024-01-01T00:00:00+16:00"),
        ("alice", "carol", "2024-01-01T00:00:00-23:59"),
        ("alice", "dave", "0000-01-01T00:00:00Z"),
        ("bob", "carol", "0000-01-01T00:00:00+23:00"),
        ("bob", "dave", "9999-12-31T23:59:59-00:01"),
        ("carol", "dave", "1969-12-31T23:59:59Z"),
    ];
    let lines = times.map(|(owner, friend, time)| {
        format!("{{\"owner\":\"{owner}\",\"friend\":\"{friend}\",\"created_at\":\"{time}\"}}\n")
    });
    let users = "username,created_at,modified_at\n\
                 erin,0000-01-01T00:00:00+23:00,\n\
                 frank,2024-01-01T00:00:00+16:00,9999-12-31T23:59:59-23:59\n\
                 gina,2024-01-01T00:00:00+16:00,2024-01-01T00:00:00-23:59\n";
    let blocks = "owner,blocked,created_at\nalice,bob,0000-01-01T00:00:00+23:00\n";
    let files =
        folder(&[("users.csv", users), ("friends.jsonl", &lines.concat()), ("blocks.csv", blocks)]);
    let ran = import(&app, "acme#chat", files.path(), &[]);
    ran.badly(&[
        "users: 3 lines, 1 added, 0 there already, 2 bad",
        "friends: 6 lines, 2 added, 0 there already, 2 added for the other side, 4 \
         bad",
        "blocks: 1 lines, 0 added, 0 there already, 1 bad",
    ]);
    let why = "created_at: must be from 1970 to 9999, in UTC";
    named(
        &ran,
        &[
            &format!("users.csv:2: {why}"),
            "users.csv:3: modified_at: must be from 1970 to 9999, in UTC",
            &format!("friends.jsonl:3: {why}"),
            &format!("friends.jsonl:4: {why}"),
            &format!("friends.jsonl:5: {why}"),
            &format!("friends.jsonl:6: {why}"),
            &format!("blocks.csv:2: {why}"),
        ],
    );
    let begun = async |friend: &str| {
        tenant.entry("alice", friend).await.unwrap().create_time.unwrap().seconds
    };
    // 2023-12-31T08:00:00Z and 2024-01-01T23:59:00Z.
    assert_eq!((begun("bob").await, begun("carol").await), (1_704_009_600, 1_704_153_540));
    let gina = tenant.profile("gina").await.unwrap();
    assert_eq!(gina.create_time.unwrap().seconds, 1_704_009_600);
    let files = export(&app, "acme#chat", "jsonl");
    assert!(import(&app, "acme#chat", files.path(), &[]).ok);
}

#[tokio::test]
async fn an_export_names_a_time_that_it_can_not_write() {
    let (app, _tenant) = acme(&["alice"]).await;
    sqlx::query("update users set created_at = '0002-12-31 00:00:00Z BC'")
        .execute(app.pool())
        .await
        .unwrap();
    let files = folder(&[]);
    let ran = run(&app, &["export", "acme#chat", "--out", files.path().to_str().unwrap()]);
    assert!(
        !ran.ok && ran.stderr.contains("created_at of alice can't be written"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert!(!files.path().join("users.jsonl").exists());
}

#[tokio::test]
async fn a_comparison_looks_at_what_users_are() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    let uuid = tenant.profile("dave").await.unwrap().uuid;
    let users = format!(
        "{{\"username\":\"alice\",\"activated\":false}}\n\
         {{\"username\":\"bob\",\"nickname\":\"Bob\"}}\n\
         {{\"username\":\"carol\",\"uuid\":\"00000000-0000-4000-8000-000000000001\"}}\n\
         {{\"username\":\"dave\",\"nickname\":\"\",\"activated\":true,\"uuid\":\"{uuid}\"}}\n\
         {{\"username\":\"erin\",\"activated\":false}}\n",
    );
    let files = folder(&[("users.jsonl", &users)]);
    let compared = || import(&app, "acme#chat", files.path(), &["--dry-run"]);
    let ran = compared();
    ran.badly(&[
        "users: 5 lines",
        "friends: 0 lines",
        "blocks: 0 lines",
        "differences: 4",
        "  users missing: 1",
        "  users that differ: 3",
    ]);
    named(&ran, &["alice: activated differs", "bob: nickname differs", "carol: uuid differs"]);
    assert!(ran.stderr.contains("user erin is missing"), "{}", ran.stderr);

    // All values but the UUID can be taken over.
    import(&app, "acme#chat", files.path(), &["--overwrite"]).well(&[
        "users: 5 lines, 1 added, 2 there already, 2 changed",
        "friends: 0 lines, 0 added, 0 there already",
        "blocks: 0 lines, 0 added, 0 there already",
    ]);
    assert!(!tenant.profile("alice").await.unwrap().activated);
    named(&compared(), &["carol: uuid differs"]);
    let again = proto::ActivateUserRequest { username: "erin".to_owned() };
    tenant.users().activate_user(again).await.unwrap();
    named(&compared(), &["carol: uuid differs", "erin: activated differs"]);
}

/// As if the service had been killed between the deletion and the cleaning of lists.
async fn leave(app: &TestApp, username: &str) {
    sqlx::query("update users set deleted_at = now(), leaving = true where username = $1")
        .bind(username)
        .execute(app.pool())
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_is_a_friend_of_a_user_who_is_half_gone() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "gone"]).await;
    for friend in ["gone", "bob"] {
        tenant.befriend("alice", friend).await.unwrap();
    }
    tenant.befriend("carol", "gone").await.unwrap();
    tenant.block("alice", &["gone"]).await.unwrap();
    leave(&app, "gone").await;
    // Of this friendship only one side still has an entry.
    tenant.unfriend_all("carol").await.unwrap();
    let files = folder(&[
        (
            "friends.jsonl",
            "{\"owner\":\"alice\",\"friend\":\"gone\"}\n\
             {\"owner\":\"gone\",\"friend\":\"alice\",\"remark\":\"new\"}\n\
             {\"owner\":\"gone\",\"friend\":\"carol\",\"remark\":\"new\"}\n\
             {\"owner\":\"alice\",\"friend\":\"bob\",\"remark\":\"new\"}\n",
        ),
        ("blocks.csv", "owner,blocked\nalice,gone\n"),
    ]);
    let ran = import(&app, "acme#chat", files.path(), &["--overwrite"]);
    ran.badly(&[
        "users: 0 lines, 0 added, 0 there already",
        "friends: 4 lines, 0 added, 0 there already, 1 changed, 3 not imported",
        "blocks: 1 lines, 0 added, 0 there already, 1 not imported",
    ]);
    named(
        &ran,
        &[
            "friends.jsonl:1: there is no user gone",
            "friends.jsonl:2: there is no user gone",
            "friends.jsonl:3: there is no user gone",
            "blocks.csv:2: there is no user gone",
        ],
    );
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "new");
    upkeep::round(&app.core).await;
    invariants::hold(app.pool()).await;
    assert!(fs::exists(files.path()).unwrap());
}
