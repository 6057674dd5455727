//! Single lines: those that are imported, those that can't be, and how they are reported.

use std::fs;

use befriend::clock::Clock;

use super::{Ran, export, folder, import, run};
use crate::support::{
    TestApp, invariants,
    tenant::{acme, friend_limit},
};

#[track_caller]
fn complaints(ran: &Ran, expected: &[&str]) {
    let mut found = ran.complaints();
    found.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{}", ran.stderr);
}

/// What an import says about the files of the test below.
const BAD_LINES: [&str; 21] = [
    "users.jsonl:2: username: must be 1-64 bytes of a-z 0-9 _ . - @",
    "users.jsonl:4: nickname: must be at most 100 characters long",
    "users.jsonl:6: uuid: is not a UUID",
    "users.jsonl:7: contradicts users.jsonl:5",
    "users.jsonl:9: is not the expected JSON object: missing field `username`",
    "users.jsonl:10: is not the expected JSON object: unknown field `Nickname`, expected one \
     of `username`, `nickname`, `activated`, `uuid`, `created_at`, `modified_at`",
    "users.jsonl:11: is longer than 65536 bytes",
    "users.jsonl:12: is not the expected JSON object: EOF while parsing an object",
    "friends.jsonl:2: owner and friend are the same user, alice",
    "friends.jsonl:3: there is no user nobody",
    "friends.jsonl:4: there is no user nobody",
    "friends.jsonl:5: remark: must be at most 128 characters long",
    "friends.jsonl:6: extension: must be at most 256 characters long",
    "friends.jsonl:7: remark: must not contain NUL (U+0000)",
    "friends.jsonl:8: created_at: must be a time as 2026-11-21T12:00:00Z",
    "friends.jsonl:9: contradicts friends.jsonl:1",
    "friends.jsonl:13: is not a JSON object",
    "blocks.jsonl:2: there is no user nobody",
    "blocks.jsonl:3: owner and blocked are the same user, alice",
    "blocks.jsonl:6: is not a JSON object",
    "blocks.jsonl:7: is not UTF-8",
];

#[tokio::test]
async fn every_bad_line_is_named_by_its_number_and_the_rest_goes_in() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    let long = |n: usize| "x".repeat(n);
    let users = format!(
        "\u{feff}{{\"username\":\"dave\"}}\n\
         {{\"username\":\"no name\"}}\n\
         \n\
         {{\"username\":\"erin\",\"nickname\":\"{}\"}}\n\
         {{\"username\":\"ERIN\",\"nickname\":\"Erin\",\"created_at\":\"2020-02-02T02:02:02Z\"}}\n\
         {{\"username\":\"frank\",\"uuid\":\"?\"}}\n\
         {{\"username\":\"erin\",\"nickname\":\"Other\"}}\n\
         {{\"username\":\"erin\",\"nickname\":\"Erin\"}}\n\
         {{\"nickname\":\"nobody\"}}\n\
         {{\"username\":\"gina\",\"Nickname\":\"x\"}}\n\
         {{\"username\":\"hugo\",\"nickname\":\"{}\"}}\n\
         {{\"username\":\"ina\"",
        long(101),
        long(70_000),
    );
    let friends = [
        r#"{"owner":"alice","friend":"bob","remark":"b","created_at":"2020-02-02T02:02:02Z"}"#,
        r#"{"owner":"alice","friend":"alice"}"#,
        r#"{"owner":"alice","friend":"nobody"}"#,
        r#"{"owner":"nobody","friend":"alice"}"#,
        &format!(r#"{{"owner":"alice","friend":"carol","remark":"{}"}}"#, long(129)),
        &format!(r#"{{"owner":"alice","friend":"carol","extension":"{}"}}"#, long(257)),
        r#"{"owner":"alice","friend":"carol","remark":"\u0000"}"#,
        r#"{"owner":"alice","friend":"carol","created_at":"yesterday"}"#,
        r#"{"owner":"alice","friend":"bob","remark":"c"}"#,
        r#"{"owner":"alice","friend":"bob","remark":"b"}"#,
        r#"{"owner":"bob","friend":"alice","remark":null}"#,
        r#"{"owner":"alice","friend":"dave","remark":"d"}"#,
        "[]",
    ]
    .join("\n");
    let blocks = "{\"owner\":\"alice\",\"blocked\":\"bob\"}\n\
                  {\"owner\":\"alice\",\"blocked\":\"nobody\"}\n\
                  {\"owner\":\"alice\",\"blocked\":\"alice\"}\n\
                  {\"owner\":\"alice\",\"blocked\":\"bob\"}\n\
                  {\"owner\":\"alice\",\"blocked\":\"erin\"}\n\
                  nonsense\n";
    let files = folder(&[("users.jsonl", &users), ("friends.jsonl", &friends)]);
    fs::write(files.path().join("blocks.jsonl"), [blocks.as_bytes(), b"\xff\n"].concat()).unwrap();
    let ran = import(&app, "acme#chat", files.path(), &[]);
    ran.badly(&[
        "users: 11 lines, 2 added, 1 there already, 1 not imported, 7 bad",
        "friends: 13 lines, 3 added, 1 there already, 3 not imported, 1 added for the other side, 6 bad",
        "blocks: 7 lines, 2 added, 1 there already, 1 not imported, 3 bad",
    ]);
    complaints(&ran, &BAD_LINES);
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob", "dave"]);
    let entry = tenant.entry("alice", "bob").await.unwrap();
    assert_eq!(entry.remark, "b");
    let begun = tenant.entry("bob", "alice").await.unwrap().create_time.unwrap();
    assert_eq!((begun, begun.seconds), (entry.create_time.unwrap(), 1_580_608_922));
    assert_eq!(tenant.profile("erin").await.unwrap().nickname, "Erin");
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["erin", "bob"]);
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test]
async fn a_time_is_cut_to_what_the_database_keeps() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    // Rounded up, this is in the year 10000.
    let last = "9999-12-31T23:59:59.9999999Z";
    let fine = "2020-02-02T02:02:02.1234567Z";
    let users = format!(r#"{{"username":"dave","created_at":"{last}"}}"#);
    let friends = format!(
        "{{\"owner\":\"alice\",\"friend\":\"bob\",\"created_at\":\"{fine}\"}}\n\
         {{\"owner\":\"alice\",\"friend\":\"carol\",\"created_at\":\"{last}\"}}\n"
    );
    let blocks = format!(r#"{{"owner":"alice","blocked":"bob","created_at":"{last}"}}"#);
    let files =
        folder(&[("users.jsonl", &users), ("friends.jsonl", &friends), ("blocks.jsonl", &blocks)]);
    let ran = import(&app, "acme#chat", files.path(), &[]);
    assert!(ran.ok, "{}", ran.stderr);
    let begun = tenant.entry("alice", "bob").await.unwrap().create_time.unwrap();
    assert_eq!((begun.seconds, begun.nanos), (1_580_608_922, 123_456_000));
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob", "carol"]);
}

#[test]
fn pipes_and_devices_are_refused() {
    let files = folder(&[("users.jsonl", "")]);
    let pipe = files.path().join("friends.jsonl");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let device = files.path().join("elsewhere").join("blocks.csv");
    fs::create_dir(device.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &device).unwrap();
    for path in [files.path().to_owned(), pipe, device] {
        let refused = befriend::transfer::sources(&[path]).unwrap_err().to_string();
        assert!(refused.contains("is not a regular file"), "{refused}");
    }
}

#[tokio::test]
async fn a_csv_line_is_named_by_the_line_it_begins_at() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    let friends = "friend,owner,remark\r\n\
                   bob,alice,\"two\nlines\"\r\n\
                   nobody,alice,\r\n\
                   carol,alice\r\n\
                   \r\n\
                   carol,alice,\"a \"\"quote\"\"\"\r\n\
                   al ice,dave,\r\n";
    let users = "username,activated\nerin,false\nfrank,yes\ngina,\n";
    let files = folder(&[("friends.csv", friends), ("users-1.csv", users)]);
    let ran = import(&app, "acme#chat", files.path(), &[]);
    ran.badly(&[
        "users: 3 lines, 2 added, 0 there already, 1 bad",
        "friends: 5 lines, 2 added, 0 there already, 1 not imported, 2 added for the other side, 2 bad",
        "blocks: 0 lines, 0 added, 0 there already",
    ]);
    complaints(
        &ran,
        &[
            "users-1.csv:3: activated: must be true or false",
            "friends.csv:4: there is no user nobody",
            "friends.csv:5: has 2 cells under 3 columns",
            "friends.csv:8: friend: must be 1-64 bytes of a-z 0-9 _ . - @",
        ],
    );
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "two\nlines");
    assert_eq!(tenant.entry("alice", "carol").await.unwrap().remark, "a \"quote\"");
    assert!(!tenant.profile("erin").await.unwrap().activated);
    assert!(tenant.profile("gina").await.unwrap().activated);
}

#[tokio::test]
async fn a_file_that_is_not_what_its_name_says_is_refused_as_a_whole() {
    let (app, _tenant) = acme(&["alice", "bob"]).await;
    for (name, text, why) in [
        ("friends.csv", "", "has no line of column names"),
        ("friends.csv", "owner,freind\n", "there is no column \"freind\"; known: owner, friend"),
        ("friends.csv", "owner,owner\n", "there are two columns owner"),
        ("friends.csv", "owner,remark\n", "the column friend is missing"),
        ("friends.csv", "owner,\"friend\nalice,bob\n", "line 1: a cell begins with a quote and"),
        ("contacts.csv", "owner,friend\n", "holds no users, friends or blocks"),
    ] {
        let files = folder(&[(name, text)]);
        let ran = import(&app, "acme#chat", files.path(), &[]);
        assert!(!ran.ok && ran.stderr.contains(why), "{why}: {}", ran.stderr);
        assert!(ran.printed.is_empty());
    }
    let files = folder(&[("contacts.csv", "owner,friend\n")]);
    let path = files.path().join("contacts.csv");
    let ran = import(&app, "acme#chat", &path, &[]);
    assert!(!ran.ok && ran.stderr.contains("the name must begin with users"), "{}", ran.stderr);
    let ran = import(&app, "acme#chat", &files.path().join("users.csv"), &[]);
    assert!(!ran.ok && ran.stderr.contains("No such file"), "{}", ran.stderr);
    let ran = run(&app, &["import", "files", "no#app", files.path().to_str().unwrap()]);
    assert!(!ran.ok && ran.stderr.contains("no#app"), "{}", ran.stderr);
}

#[tokio::test]
async fn one_direction_makes_both_and_each_side_keeps_its_own_texts() {
    let (app, tenant) = acme(&["alice", "bob", "carol", "dave"]).await;
    // In separate files, and in the other order.
    let files = folder(&[
        ("friends-1.jsonl", r#"{"owner":"alice","friend":"bob","remark":"B","extension":"e"}"#),
        ("friends-2.csv", "owner,friend,remark\nbob,alice,A\ncarol,alice,of carol\n"),
    ]);
    import(&app, "acme#chat", files.path(), &[]).well(&[
        "users: 0 lines, 0 added, 0 there already",
        "friends: 3 lines, 3 added, 0 there already, 1 added for the other side",
        "blocks: 0 lines, 0 added, 0 there already",
    ]);
    let remark = async |owner: &str, friend: &str| {
        let entry = tenant.entry(owner, friend).await.unwrap();
        assert!(entry.bidirectional);
        (entry.remark, entry.extension)
    };
    let texts = |remark: &str, extension: &str| (remark.to_owned(), extension.to_owned());
    assert_eq!(remark("alice", "bob").await, texts("B", "e"));
    assert_eq!(remark("bob", "alice").await, texts("A", ""));
    assert_eq!(remark("carol", "alice").await, texts("of carol", ""));
    assert_eq!(remark("alice", "carol").await, texts("", ""));
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test]
async fn a_friendship_that_ended_comes_back_with_what_the_lines_do_not_say() {
    let (app, tenant) = acme(&["alice", "bob", "carol"]).await;
    for friend in ["bob", "carol"] {
        tenant.befriend("alice", friend).await.unwrap();
        tenant.remark("alice", friend, "kept").await.unwrap();
        tenant.unfriend("alice", friend).await.unwrap();
    }
    let files = folder(&[(
        "friends.jsonl",
        "{\"owner\":\"bob\",\"friend\":\"alice\"}\n\
         {\"owner\":\"alice\",\"friend\":\"carol\",\"remark\":\"\"}",
    )]);
    assert!(import(&app, "acme#chat", files.path(), &[]).ok);
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "kept");
    assert_eq!(tenant.entry("alice", "carol").await.unwrap().remark, "");
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn what_is_there_stays_unless_it_is_to_be_overwritten() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "mine").await.unwrap();
    let files = folder(&[
        ("users.csv", "username,nickname,activated\nalice,Alice,false\n"),
        (
            "friends.jsonl",
            "{\"owner\":\"alice\",\"friend\":\"bob\",\"remark\":\"theirs\"}\n\
             {\"owner\":\"bob\",\"friend\":\"alice\",\"extension\":\"e\"}",
        ),
    ]);
    let before = tenant.head("alice").await.unwrap();
    let ran = import(&app, "acme#chat", files.path(), &[]);
    ran.badly(&[
        "users: 1 lines, 0 added, 0 there already, 1 not imported",
        "friends: 2 lines, 0 added, 0 there already, 2 not imported",
        "blocks: 0 lines, 0 added, 0 there already",
    ]);
    let why = "is there already with other texts, which stay";
    let named = ["users.csv:2", "friends.jsonl:1", "friends.jsonl:2"];
    complaints(&ran, &named.map(|line| format!("{line}: {why}")).each_ref().map(String::as_str));
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "mine");
    assert_eq!(tenant.head("alice").await.unwrap(), before);

    import(&app, "acme#chat", files.path(), &["--overwrite"]).well(&[
        "users: 1 lines, 0 added, 0 there already, 1 changed",
        "friends: 2 lines, 0 added, 0 there already, 2 changed",
        "blocks: 0 lines, 0 added, 0 there already",
    ]);
    assert_eq!(tenant.entry("alice", "bob").await.unwrap().remark, "theirs");
    assert_eq!(tenant.entry("bob", "alice").await.unwrap().extension, "e");
    let alice = tenant.profile("alice").await.unwrap();
    assert_eq!((alice.nickname.as_str(), alice.activated), ("Alice", false));
    assert_eq!(tenant.head("alice").await.unwrap().version, before.version + 1);
    invariants::hold(app.pool()).await;
    invariants::heads_are_the_newest_entries(app.pool()).await;
}

#[tokio::test]
async fn a_full_list_takes_the_lines_that_come_first() {
    let app = TestApp::start().await;
    let mut limits = friend_limit(2);
    limits.block_limit = Some(2);
    let tenant = app.tenant_with("acme#chat", limits).await;
    tenant.create(&["alice", "bob", "carol", "dave", "erin"]).await;
    tenant.befriend("alice", "erin").await.unwrap();
    tenant.block("alice", &["erin"]).await.unwrap();
    let files = folder(&[
        (
            "friends.csv",
            "owner,friend\ndave,alice\nalice,bob\nbob,alice\nerin,alice\nbob,carol\nbob,dave\n\
             dave,bob\n",
        ),
        ("blocks.csv", "owner,blocked\nalice,bob\nalice,carol\nalice,erin\nbob,alice\n"),
    ]);
    let ran = import(&app, "acme#chat", files.path(), &[]);
    ran.badly(&[
        "users: 0 lines, 0 added, 0 there already",
        "friends: 7 lines, 4 added, 1 there already, 2 not imported, 2 added for the other side",
        "blocks: 4 lines, 2 added, 1 there already, 1 not imported",
    ]);
    let full = |list: &str, of: &str| format!("the {list} list of {of} is full: the limit is 2");
    complaints(
        &ran,
        &[
            &format!("friends.csv:3: {}", full("friend", "alice")),
            &format!("friends.csv:4: {}", full("friend", "alice")),
            &format!("blocks.csv:3: {}", full("block", "alice")),
        ],
    );
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["dave", "erin"]);
    assert_eq!(tenant.friends_of("bob").await.unwrap(), ["carol", "dave"]);
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), ["bob", "erin"]);
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn what_waited_between_two_is_settled_and_nobody_is_told() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice", "bob", "carol"]).await;
    tenant.ask("alice", "bob", "hello").await.unwrap();
    tenant.ask("carol", "bob", "hello").await.unwrap();
    app.keep_events(&tenant).await;
    let files = folder(&[
        ("friends.csv", "owner,friend\nbob,alice\n"),
        ("blocks.csv", "owner,blocked\nbob,carol\n"),
    ]);
    assert!(import(&app, "acme#chat", files.path(), &[]).ok);
    for name in ["alice", "bob", "carol"] {
        assert_eq!(tenant.pending(name).await, (0, 0), "{name}");
    }
    let told = app.told().await;
    assert!(told.iter().all(|event| !event.contains("friend.added") && !event.contains("block")));
    invariants::hold(app.pool()).await;
}

#[tokio::test]
async fn a_time_in_the_future_is_taken_for_now() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    let line = r#"{"owner":"alice","friend":"bob","created_at":"2999-01-01T00:00:00Z"}"#;
    let files = folder(&[("friends.jsonl", line)]);
    assert!(import(&app, "acme#chat", files.path(), &[]).ok);
    let entry = tenant.entry("alice", "bob").await.unwrap();
    assert_eq!(entry.create_time, entry.update_time);
    let files = export(&app, "acme#chat", "csv");
    assert!(!fs::read_to_string(files.path().join("friends.csv")).unwrap().contains("2999"));
}
