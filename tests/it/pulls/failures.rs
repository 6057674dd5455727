//! A vendor that is slow, that fails for a while, or that fails for good.

use std::time::Duration;

use tempfile::TempDir;

use super::{
    easemob,
    fake_vendor::{Data, FakeVendor, Instead, not_found},
    ran, ring, ring_report, target, well,
};

#[tokio::test]
async fn what_passes_is_waited_for() {
    let (app, _tenant) = target().await;
    let vendor = FakeVendor::start(ring(5), |asked| {
        let contacts = "GET /org/app/user/user01/contacts";
        let answer = |status, retry_after, text: &str| {
            Some(Instead::Answer(status, retry_after, text.to_owned()))
        };
        match (asked.call.as_str(), asked.before) {
            ("POST /org/app/token", 0) => answer(503, "", "{}"),
            ("GET /org/app/users", 1) => answer(429, "0", r#"{"error":"reach_limit"}"#),
            (call, 0) if call == contacts => answer(502, "", "<html>"),
            (call, 1) if call == contacts => answer(200, "", "{\"data\":"),
            (call, 2) if call == contacts => answer(429, "1", ""),
            // The token has expired.
            (call, 3) if call == contacts => answer(401, "", "{}"),
            ("GET /org/app/users/user02/blocks/users", 0..3) => answer(504, "", ""),
            _ => None,
        }
    })
    .await;
    let folder = TempDir::new().unwrap();
    let flags = ["--retries", "3"];
    well(&ran(easemob(&app, &vendor, folder.path(), &flags)).await, &ring_report(5, false));
    let asked = vendor.asked("GET /org/app/user/user01/contacts");
    assert_eq!(asked.len(), 5);
    let pause = asked[3].at - asked[2].at;
    assert!(pause >= Duration::from_millis(900), "it was to come again after a second: {pause:?}");
    assert_eq!(vendor.asked("POST").len(), 3, "one failed, one for the beginning, one for the 401");
}

#[tokio::test]
async fn the_rate_holds_for_all_calls_together() {
    let (app, _tenant) = target().await;
    let vendor = FakeVendor::start(ring(10), |_| None).await;
    let folder = TempDir::new().unwrap();
    let flags = ["--rate", "20"];
    well(&ran(easemob(&app, &vendor, folder.path(), &flags)).await, &ring_report(10, false));
    let asked = vendor.asked("");
    assert_eq!(asked.len(), 26, "a token, 5 pages of users, and two lists for each of 10");
    let took = asked[25].at - asked[0].at;
    assert!(took >= Duration::from_millis(1200), "26 calls at 20/s took {took:?}");
}

#[tokio::test]
async fn what_does_not_pass_ends_it_with_a_word_and_keeps_what_was_pulled() {
    let (app, tenant) = target().await;
    let broken = "GET /org/app/users/user03/blocks/users";
    let vendor = FakeVendor::start(ring(5), move |asked| {
        let broken = asked.call == broken && asked.before < 3;
        broken.then(|| Instead::Answer(500, "", "out of order".to_owned()))
    })
    .await;
    let folder = TempDir::new().unwrap();
    let failed = ran(easemob(&app, &vendor, folder.path(), &["--retries", "2"])).await;
    failed.badly(&[]);
    let why =
        "GET /users/user03/blocks/users: failed 3 times: 500 Internal Server Error: out of order";
    assert!(failed.stderr.contains(why), "{}", failed.stderr);
    assert!(tenant.profile("user00").await.is_err(), "nothing is imported by halves");
    well(&ran(easemob(&app, &vendor, folder.path(), &[])).await, &ring_report(5, false));
    assert_eq!(vendor.asked("GET /org/app/user/user00/contacts").len(), 1);

    let refusals = FakeVendor::start(ring(1), |_| {
        Some(Instead::Answer(400, "", r#"{"error":"invalid_grant"}"#.to_owned()))
    })
    .await;
    let elsewhere = TempDir::new().unwrap();
    let failed = ran(easemob(&app, &refusals, elsewhere.path(), &[])).await;
    assert!(failed.stderr.contains("POST /token: 400 Bad Request: {\"error\":\"invalid_grant\"}"));
    assert_eq!(refusals.asked("").len(), 1, "it does not pass, so it is not tried again");
    // A folder belongs to one source.
    let failed = ran(easemob(&app, &refusals, folder.path(), &[])).await;
    assert!(
        failed.stderr.contains("the folder holds a pull from easemob http://"),
        "{}",
        failed.stderr
    );
}

#[tokio::test]
async fn a_list_with_fewer_entries_than_the_vendor_counts_is_reported_and_not_taken() {
    let (app, tenant) = target().await;
    let vendor = FakeVendor::start(ring(5), |asked| {
        let lacking = r#"{"data":{"contacts":[{"username":"user02"}],"count":2}}"#.to_owned();
        let contacts = asked.call == "GET /org/app/user/user01/contacts";
        contacts.then_some(Instead::Answer(200, "", lacking))
    })
    .await;
    let folder = TempDir::new().unwrap();
    let moved = ran(easemob(&app, &vendor, folder.path(), &[])).await;
    let why = "user01: GET /user/user01/contacts: 1 entries came where 2 were promised";
    assert!(!moved.ok && moved.stderr.contains(why), "{}", moved.stderr);
    assert!(moved.printed.contains("1 refused by the vendor"), "{}", moved.printed);
    assert!(!tenant.friends_of("user03").await.unwrap().is_empty(), "the others are moved");
}

#[tokio::test]
async fn a_vendor_that_asks_for_a_pause_without_end_ends_the_pull() {
    let (app, _tenant) = target().await;
    for (asked, seconds) in [("601", "601"), ("18446744073709551616", "18446744073709551615")] {
        let vendor = FakeVendor::start(ring(1), move |call| {
            let users = call.call == "GET /org/app/users";
            users.then(|| Instead::Answer(429, asked, String::new()))
        })
        .await;
        let folder = TempDir::new().unwrap();
        let failed = ran(easemob(&app, &vendor, folder.path(), &[])).await;
        failed.badly(&[]);
        let why = format!("GET /users: throttled for {seconds} s, and a pull waits 600 s at most");
        assert!(failed.stderr.contains(&why), "{}", failed.stderr);
    }
}

#[tokio::test]
async fn a_vendor_that_leads_in_circles_is_not_followed() {
    let (app, _tenant) = target().await;
    let vendor = FakeVendor::start(ring(5), |asked| {
        let users = asked.call == "GET /org/app/users";
        users.then(|| Instead::Answer(200, "", r#"{"entities":[],"cursor":"again"}"#.to_owned()))
    })
    .await;
    // A circle of three pages.
    let wider = FakeVendor::start(ring(5), |asked| {
        let cursor = ["A", "B", "C"][asked.before % 3];
        let page = format!(r#"{{"entities":[],"cursor":"{cursor}"}}"#);
        (asked.call == "GET /org/app/users").then_some(Instead::Answer(200, "", page))
    })
    .await;
    for vendor in [vendor, wider] {
        let folder = TempDir::new().unwrap();
        let failed = ran(easemob(&app, &vendor, folder.path(), &[])).await;
        assert!(
            !failed.ok && failed.stderr.contains("the cursor does not move on"),
            "{}",
            failed.stderr
        );
        assert!(vendor.asked("GET /org/app/users").len() <= 4);
    }
    let unknown = FakeVendor::start(Data::default(), |_| {
        Some(Instead::Answer(404, "", not_found().replace("service_resource", "application")))
    })
    .await;
    let folder = TempDir::new().unwrap();
    let failed = ran(easemob(&app, &unknown, folder.path(), &[])).await;
    assert!(!failed.ok && failed.stderr.contains("404 Not Found"), "{}", failed.stderr);
}
