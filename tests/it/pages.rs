//! Pages: of friends, of blocked users, of users, of apps.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use befriend::proto;
use tonic::{Code, Status};

use crate::support::{Tenant, TestApp, expect_error, metadata, tenant::acme};

/// A page's names and the token of the next.
type Page = (Vec<String>, String);

async fn friends(tenant: &Tenant, owner: &str, size: i32, token: &str) -> Result<Page, Status> {
    let request = proto::ListFriendsRequest {
        owner: owner.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
        include_remark: false,
    };
    let page = tenant.friends().list_friends(request).await?.into_inner();
    Ok((page.entries.into_iter().map(|entry| entry.username).collect(), page.next_page_token))
}

async fn blocked(tenant: &Tenant, owner: &str, size: i32, token: &str) -> Result<Page, Status> {
    let request = proto::ListBlockedUsersRequest {
        owner: owner.to_owned(),
        page_size: size,
        page_token: token.to_owned(),
    };
    let page = tenant.blocks().list_blocked_users(request).await?.into_inner();
    Ok((page.usernames, page.next_page_token))
}

async fn users(tenant: &Tenant, size: i32, token: &str) -> Result<Page, Status> {
    let request = proto::ListUsersRequest { page_size: size, page_token: token.to_owned() };
    let page = tenant.users().list_users(request).await?.into_inner();
    Ok((page.users.into_iter().map(|user| user.username).collect(), page.next_page_token))
}

async fn apps(app: &TestApp, size: i32, token: &str) -> Result<Page, Status> {
    let request = proto::ListAppsRequest { page_size: size, page_token: token.to_owned() };
    let page = app.apps().list_apps(request).await?.into_inner();
    Ok((page.apps.into_iter().map(|app| app.app_key).collect(), page.next_page_token))
}

/// All pages one after the other, as the callers of a list see them.
async fn walk(mut page: impl AsyncFnMut(String) -> Result<Page, Status>) -> Vec<Vec<String>> {
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let (names, next) = page(token).await.expect("a page");
        pages.push(names);
        if next.is_empty() {
            return pages;
        }
        assert!(pages.len() < 1000, "a walk comes to an end");
        token = next;
    }
}

/// alice with `size` friends, all of whom she blocks; returns the friends' names in order.
async fn alice_and(size: usize) -> (TestApp, Tenant, Vec<String>) {
    let (app, tenant) = acme(&["alice"]).await;
    let crowd = tenant.crowd("u", size).await;
    for ten in crowd.chunks(10) {
        let ten: Vec<&str> = ten.iter().map(String::as_str).collect();
        tenant.import("alice", &ten).await.unwrap();
        tenant.block("alice", &ten).await.unwrap();
    }
    (app, tenant, crowd)
}

#[tokio::test]
async fn all_pages_of_friends_are_the_whole_list_in_order() {
    let (_app, tenant, crowd) = alice_and(50).await;
    for size in [1, 7, 25, 49, 50] {
        let pages = walk(async |token| friends(&tenant, "alice", size, &token).await).await;
        let (last, full) = pages.split_last().unwrap();
        assert!(full.iter().all(|page| page.len() == size as usize), "{size}");
        assert!((1..=size as usize).contains(&last.len()), "no page is empty");
        assert_eq!(pages.concat(), crowd);
    }
    assert_eq!(tenant.friends_of("alice").await.unwrap(), crowd);
}

#[tokio::test]
async fn all_pages_of_blocked_users_are_the_whole_list_newest_first() {
    let (_app, tenant, mut crowd) = alice_and(50).await;
    crowd.reverse();
    for size in [1, 7, 25, 49, 50] {
        let pages = walk(async |token| blocked(&tenant, "alice", size, &token).await).await;
        assert_eq!(pages.len(), 50_usize.div_ceil(size as usize));
        assert_eq!(pages.concat(), crowd);
    }
    assert_eq!(tenant.blocked_by("alice").await.unwrap(), crowd);
}

#[tokio::test]
async fn all_pages_of_users_and_apps_are_all_there_are() {
    let (app, tenant) = acme(&[]).await;
    let crowd = tenant.crowd("u", 23).await;
    let others = app.tenant("acme#another").await;
    others.create(&["somebody"]).await;
    app.tenant("zeta#chat").await;

    let pages = walk(async |token| users(&tenant, 5, &token).await).await;
    assert_eq!(pages.concat(), crowd);
    let pages = walk(async |token| users(&others, 5, &token).await).await;
    assert_eq!(pages.concat(), ["somebody"]);
    let pages = walk(async |token| apps(&app, 1, &token).await).await;
    assert_eq!(pages.concat(), ["acme#another", "acme#chat", "zeta#chat"]);
}

#[tokio::test]
async fn an_empty_list_is_one_empty_page() {
    let (_app, tenant) = acme(&["alice"]).await;
    let empty = (Vec::new(), String::new());
    assert_eq!(friends(&tenant, "alice", 0, "").await.unwrap(), empty);
    assert_eq!(blocked(&tenant, "alice", 0, "").await.unwrap(), empty);
    expect_error(friends(&tenant, "nobody", 0, "").await, Code::NotFound, "USER_NOT_FOUND");
}

#[tokio::test]
async fn a_page_has_ten_friends_or_fifty_blocked_users_unless_asked_otherwise() {
    let (_app, tenant, _) = alice_and(51).await;
    let len = |page: Result<Page, Status>| page.unwrap().0.len();
    for (asked, given) in [(0, 10), (1, 1), (50, 50)] {
        assert_eq!(len(friends(&tenant, "alice", asked, "").await), given);
    }
    for (asked, given) in [(0, 50), (1, 1), (50, 50)] {
        assert_eq!(len(blocked(&tenant, "alice", asked, "").await), given);
    }
    assert_eq!(len(users(&tenant, 0, "").await), 10);
    assert_eq!(len(users(&tenant, 100, "").await), 52);
}

#[tokio::test]
async fn a_page_size_out_of_range_is_refused_with_the_largest() {
    let (app, tenant) = acme(&["alice"]).await;
    for size in [-1, i32::MIN, 51, 101, i32::MAX] {
        let mut refusals = vec![
            (friends(&tenant, "alice", size, "").await, "50"),
            (blocked(&tenant, "alice", size, "").await, "50"),
        ];
        if size != 51 {
            refusals.push((users(&tenant, size, "").await, "100"));
            refusals.push((apps(&app, size, "").await, "100"));
        }
        for (refused, max) in refusals {
            let details = expect_error(refused, Code::InvalidArgument, "PAGE_SIZE_OUT_OF_RANGE");
            assert_eq!(metadata(&details, "field"), "page_size");
            assert_eq!(metadata(&details, "max"), max);
        }
    }
}

#[tokio::test]
async fn a_page_token_is_good_for_its_own_list_of_its_own_app_only() {
    let (app, tenant, _) = alice_and(4).await;
    tenant.befriend("u000", "u001").await.unwrap();
    let other = app.tenant("other#app").await;
    other.create(&["alice"]).await;
    let friends_token = friends(&tenant, "alice", 1, "").await.unwrap().1;
    let blocked_token = blocked(&tenant, "alice", 1, "").await.unwrap().1;
    let users_token = users(&tenant, 1, "").await.unwrap().1;
    let apps_token = apps(&app, 1, "").await.unwrap().1;

    let refusals = [
        ("another owner", friends(&tenant, "u000", 1, &friends_token).await),
        ("another app", friends(&other, "alice", 1, &friends_token).await),
        ("of blocked users", friends(&tenant, "alice", 1, &blocked_token).await),
        ("of users", friends(&tenant, "alice", 1, &users_token).await),
        ("another owner", blocked(&tenant, "u000", 1, &blocked_token).await),
        ("another app", blocked(&other, "alice", 1, &blocked_token).await),
        ("of friends", blocked(&tenant, "alice", 1, &friends_token).await),
        ("another app", users(&other, 1, &users_token).await),
        ("of friends", users(&tenant, 1, &friends_token).await),
        ("of apps", users(&tenant, 1, &apps_token).await),
        ("of users", apps(&app, 1, &users_token).await),
    ];
    for (token, refused) in refusals {
        assert!(refused.is_err(), "a token for {token} was taken");
        let details = expect_error(refused, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
        assert_eq!(metadata(&details, "field"), "page_token");
    }
    // The page size may change on the way, and the owner may be written in another case.
    assert_eq!(friends(&tenant, "ALICE", 50, &friends_token).await.unwrap().0.len(), 3);
}

#[tokio::test]
async fn a_damaged_page_token_or_one_of_another_format_is_refused() {
    let (_app, tenant, _) = alice_and(4).await;
    let token = friends(&tenant, "alice", 1, "").await.unwrap().1;
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&token).unwrap();
    assert_eq!(bytes[..2], [8, 1], "a token starts with its format, which is 1");
    let of_format = |format| {
        let mut bytes = bytes.clone();
        bytes[1] = format;
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    };
    let mut flipped = bytes.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for wrong in [
        of_format(0),
        of_format(2),
        BASE64_URL_SAFE_NO_PAD.encode(flipped),
        token[..token.len() - 1].to_owned(),
        format!("{token}A"),
        format!(" {token}"),
        "0".to_owned(),
        "u000".to_owned(),
        "x".repeat(10_000),
    ] {
        let refused = friends(&tenant, "alice", 1, &wrong).await;
        expect_error(refused, Code::InvalidArgument, "INVALID_PAGE_TOKEN");
    }
}

/// Two of every three: those who come and go.
fn restless(crowd: &[String]) -> Vec<&str> {
    crowd.chunks(3).flat_map(|three| &three[1..]).map(String::as_str).collect()
}

/// How often each name was seen.
fn counted(pages: &[Vec<String>]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for name in pages.iter().flatten() {
        *counts.entry(name.as_str()).or_default() += 1;
    }
    counts
}

#[tokio::test]
async fn a_walk_while_friends_come_and_go_sees_who_stood_throughout_exactly_once() {
    let (_app, tenant, crowd) = alice_and(60).await;
    // Every third stands throughout; between two pages, friends go and come back on both sides of the
    // place where the walk is.
    let restless = restless(&crowd);
    for gone in restless.iter().step_by(2) {
        tenant.unfriend("alice", gone).await.unwrap();
    }
    let mut page_number = 0;
    let pages = walk(async |token| {
        for (n, name) in restless.iter().enumerate() {
            match (n + page_number) % 5 {
                0 => drop(tenant.befriend("alice", name).await?),
                1 => drop(tenant.unfriend("alice", name).await?),
                _ => {}
            }
        }
        page_number += 1;
        friends(&tenant, "alice", 4, &token).await
    })
    .await;
    let seen = counted(&pages);
    for steadfast in crowd.iter().step_by(3) {
        assert_eq!(seen.get(steadfast.as_str()), Some(&1), "{steadfast}");
    }
    assert!(seen.values().all(|times| *times == 1), "nobody is seen twice");
    let mut ordered = pages.concat();
    ordered.sort();
    assert_eq!(pages.concat(), ordered);
}

#[tokio::test]
async fn a_walk_while_blocks_come_and_go_sees_who_stood_throughout_exactly_once() {
    let (_app, tenant, crowd) = alice_and(60).await;
    let restless = restless(&crowd);
    let mut page_number = 0;
    let pages = walk(async |token| {
        for (n, name) in restless.iter().enumerate() {
            match (n + page_number) % 5 {
                0 => drop(tenant.block("alice", &[name]).await?),
                1 => drop(tenant.unblock("alice", name).await?),
                _ => {}
            }
        }
        page_number += 1;
        blocked(&tenant, "alice", 4, &token).await
    })
    .await;
    let seen = counted(&pages);
    for steadfast in crowd.iter().step_by(3) {
        assert_eq!(seen.get(steadfast.as_str()), Some(&1), "{steadfast}");
    }
    assert!(seen.values().all(|times| *times == 1), "who is blocked anew stands before the walk");
}
