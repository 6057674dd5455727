//! Pages as Easemob's clients walk them: sizes at their bounds, cursors as they are sent back.

use std::collections::BTreeSet;

use befriend::clock::Clock;
use serde_json::{Value, json};

use crate::support::{
    TestApp,
    easemob::{Easemob, expect_refusal},
    tenant::acme,
};

const NO_CURSOR: &str = "the cursor was not given out for this list";

/// A list that is read in pages.
#[derive(Clone, Copy)]
struct List {
    path: &'static str,
    size: &'static str,
    max: usize,
    default: usize,
    /// The names on a page.
    names: fn(&Value) -> Vec<String>,
    /// The cursor's place.
    cursor: &'static str,
}

const FRIENDS: List = List {
    path: "/user/alice/contacts",
    size: "limit",
    max: 50,
    default: 10,
    names: |page| each(&page["data"]["contacts"], "/username"),
    cursor: "/data/cursor",
};

const BLOCKS: List = List {
    path: "/users/alice/blocks/users",
    size: "pageSize",
    max: 50,
    default: 50,
    names: |page| each(&page["data"], ""),
    cursor: "/cursor",
};

const USERS: List = List {
    path: "/users",
    size: "limit",
    max: 100,
    default: 10,
    names: |page| each(&page["entities"], "/username"),
    cursor: "/cursor",
};

fn each(items: &Value, name: &str) -> Vec<String> {
    let text = |item: &Value| item.pointer(name).and_then(Value::as_str).unwrap().to_owned();
    items.as_array().unwrap().iter().map(text).collect()
}

/// Every byte as %XX: more than any client does.
fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

impl List {
    /// A page: its names, and the cursor if it has one. The count is that of the names.
    async fn page(self, client: &Easemob, query: &str) -> (Vec<String>, Option<String>) {
        let page = client.get(&format!("{}?{query}", self.path)).await.ok();
        let names = (self.names)(&page);
        assert_eq!(page["count"], names.len(), "{page}");
        let cursor = page.pointer(self.cursor).map(|cursor| {
            let cursor = cursor.as_str().expect("a cursor is a text");
            assert!(!cursor.is_empty(), "some clients begin again with an empty cursor");
            cursor.to_owned()
        });
        (names, cursor)
    }

    /// All names, by pages of this size; and how many pages there were.
    async fn walk(self, client: &Easemob, size: usize) -> (Vec<String>, usize) {
        let (mut names, mut pages, mut query) = (Vec::new(), 1, format!("{}={size}", self.size));
        loop {
            let (found, cursor) = self.page(client, &query).await;
            assert!(found.len() <= size);
            names.extend(found);
            let Some(cursor) = cursor else { return (names, pages) };
            query = format!("{}={size}&cursor={}", self.size, percent(&cursor));
            pages += 1;
        }
    }
}

/// A server with alice, who has `size` friends and has blocked them in turn.
async fn crowded(size: usize) -> (TestApp, Easemob, Vec<String>) {
    let (app, tenant) = acme(&["alice"]).await;
    let names = tenant.crowd("f", size).await;
    for name in &names {
        tenant.befriend("alice", name).await.unwrap();
        tenant.block("alice", &[name]).await.unwrap();
    }
    let client = Easemob::of(&app, &tenant);
    (app, client, names)
}

#[tokio::test]
async fn a_walk_meets_everybody_once_whatever_the_size_and_ends_without_a_cursor() {
    let (_app, client, friends) = crowded(51).await;
    let newest_first: Vec<String> = friends.iter().rev().cloned().collect();
    let everybody = [&["alice".to_owned()], friends.as_slice()].concat();
    for (list, expected) in [(FRIENDS, &friends), (BLOCKS, &newest_first), (USERS, &everybody)] {
        // 51 and 52 entries: whole pages, one entry more, one page for all.
        for size in [1, 2, 3, 4, 10, 13, 17, 25, 50] {
            let (names, pages) = list.walk(&client, size).await;
            assert_eq!(names, *expected, "{} by {size}", list.path);
            assert_eq!(pages, expected.len().div_ceil(size), "{} by {size}", list.path);
        }
    }
}

#[tokio::test]
async fn a_size_is_within_its_bounds() {
    let (_app, client, _) = crowded(51).await;
    for list in [FRIENDS, BLOCKS] {
        let List { path, size, max, default, .. } = list;
        for (query, held) in [
            (format!("{size}=1"), 1),
            (format!("{size}=007"), 7),
            (format!("{size}={max}"), max),
            (format!("{size}=&cursor=&x={size}"), if size == "limit" { default } else { 51 }),
        ] {
            let (names, cursor) = list.page(&client, &query).await;
            assert_eq!((names.len(), cursor.is_some()), (held, held < 51), "{path}?{query}");
        }
        for over in ["51", "100", "2147483647", "2147483648", "99999999999999999999999999"] {
            let answer = client.get(&format!("{path}?{size}={over}")).await;
            let why = "page size more than max limit : 50";
            expect_refusal(&answer, 400, "illegal_argument", why);
        }
        for none in ["0", "00", "-1", "abc", "1.5", "1e1", "%2B1", "+1", "0x10", "%D9%A1", "1%00"] {
            let answer = client.get(&format!("{path}?{size}={none}")).await;
            let why = format!("{size} must be between 1 and 50");
            expect_refusal(&answer, 400, "illegal_argument", &why);
        }
    }
    let (names, cursor) = FRIENDS.page(&client, "").await;
    assert_eq!((names.len(), cursor.is_some()), (FRIENDS.default, true));
}

#[tokio::test]
async fn a_page_of_users_is_the_largest_for_who_asks_for_more_and_the_default_for_0() {
    let (app, tenant) = acme(&[]).await;
    tenant.crowd("u", 101).await;
    let client = Easemob::of(&app, &tenant);
    for (query, held) in [
        ("limit=1", 1),
        ("limit=100", 100),
        ("limit=101", 100),
        ("limit=200", 100),
        ("limit=99999999999999999999", 100),
        ("limit=0", USERS.default),
        ("limit=0&cursor=", USERS.default),
        ("limit=&cursor=", USERS.default),
        ("", USERS.default),
    ] {
        let (names, cursor) = USERS.page(&client, query).await;
        assert_eq!((names.len(), cursor.is_some()), (held, true), "{query}");
    }
    for none in ["-1", "abc", "1.5"] {
        let answer = client.get(&format!("/users?limit={none}")).await;
        let why = format!("limit must be between 1 and {}", USERS.max);
        expect_refusal(&answer, 400, "illegal_argument", &why);
    }
    assert_eq!(USERS.walk(&client, 100).await.1, 2);
}

#[tokio::test]
async fn a_cursor_alone_goes_on_by_the_default_size() {
    let (_app, client, names) = crowded(51).await;
    let (_, cursor) = FRIENDS.page(&client, "limit=1").await;
    let (rest, more) = FRIENDS.page(&client, &format!("cursor={}", cursor.unwrap())).await;
    assert_eq!((rest.as_slice(), more.is_some()), (&names[1..11], true));
    let (_, cursor) = BLOCKS.page(&client, "pageSize=1").await;
    let (rest, more) = BLOCKS.page(&client, &format!("cursor={}", cursor.unwrap())).await;
    assert_eq!((rest.len(), more), (50, None));
}

#[tokio::test]
async fn without_size_and_cursor_a_block_list_is_answered_whole() {
    let (_app, client, mut names) = crowded(51).await;
    names.reverse();
    for query in ["", "pageSize=", "cursor=", "pageSize=&cursor=", "version=3"] {
        let (found, cursor) = BLOCKS.page(&client, query).await;
        assert_eq!((found, cursor), (names.clone(), None), "{query}");
    }
}

#[tokio::test]
async fn a_cursor_from_elsewhere_is_refused() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let names = ["alice", "bob", "f1", "f2"];
    let mut clients = Vec::new();
    for key in ["a#app", "b#app"] {
        let tenant = app.tenant(key).await;
        tenant.create(&names).await;
        for owner in ["alice", "bob"] {
            tenant.befriend(owner, "f1").await.unwrap();
            tenant.befriend(owner, "f2").await.unwrap();
            tenant.block(owner, &["f1", "f2"]).await.unwrap();
        }
        clients.push(Easemob::of(&app, &tenant));
    }
    let [a, b] = &clients[..] else { panic!("two clients") };
    let bobs = |list: List| List { path: list.path.replace("alice", "bob").leak(), ..list };
    let mut cursors = BTreeSet::new();
    for (client, list) in [
        (a, FRIENDS),
        (a, BLOCKS),
        (a, USERS),
        (a, bobs(FRIENDS)),
        (a, bobs(BLOCKS)),
        (b, FRIENDS),
        (b, BLOCKS),
        (b, USERS),
    ] {
        cursors.insert(list.page(client, &format!("{}=1", list.size)).await.1.unwrap());
    }
    assert_eq!(cursors.len(), 8, "each cursor is of one list");
    for list in [FRIENDS, BLOCKS, USERS] {
        let own = list.page(a, &format!("{}=1", list.size)).await.1.unwrap();
        let long = "A".repeat(10_000);
        let damaged = format!("{own}\"");
        let rubbish = ["MQ%3D%3D", "x", "%00", "%22", &damaged, &long, "../..", "0", "null"];
        let foreign = cursors.iter().map(String::as_str).filter(|cursor| *cursor != own);
        for cursor in foreign.chain(rubbish) {
            let cursor = cursor.replace('"', "%22");
            let answer = a.get(&format!("{}?{}=1&cursor={cursor}", list.path, list.size)).await;
            expect_refusal(&answer, 400, "illegal_argument", NO_CURSOR);
        }
        // What does not ask for a page reads no cursor.
        let (names, _) = list.page(a, &format!("{}=1&cursor={own}", list.size)).await;
        assert_eq!(names.len(), 1);
    }
    let all = a.get("/users/alice/contacts/users?cursor=rubbish&limit=-1").await.ok();
    assert_eq!(all["data"], json!(["f1", "f2"]));
}

#[tokio::test]
async fn remarks_are_told_only_to_who_asks_for_them() {
    let (app, tenant) = acme(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    tenant.remark("alice", "bob", "老同学").await.unwrap();
    let client = Easemob::of(&app, &tenant);
    for (query, remark) in [
        ("", Value::Null),
        ("needReturnRemark=false", Value::Null),
        ("needReturnRemark=", Value::Null),
        ("needReturnRemark=true", "老同学".into()),
        ("needReturnRemark=True", "老同学".into()),
    ] {
        let page = client.get(&format!("{}?{query}", FRIENDS.path)).await.ok();
        let expected = json!([{ "remark": remark, "username": "bob" }]);
        assert_eq!(page["data"]["contacts"], expected, "{query}");
    }
    let answer = client.get(&format!("{}?needReturnRemark=maybe", FRIENDS.path)).await;
    let why = "needReturnRemark must be true or false";
    expect_refusal(&answer, 400, "illegal_argument", why);
}
