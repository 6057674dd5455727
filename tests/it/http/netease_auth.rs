//! Who may call NetEase's API: AppKey, Nonce, CurTime and CheckSum.

use std::sync::Arc;

use befriend::{clock::Clock, domain::Secret, proto};
use time::{Duration, OffsetDateTime};

use crate::support::{
    TestApp,
    netease::{CREDENTIALS_KEY, NOON, NetEase, code, members, netease, netease_with},
    race::race,
};

const GET: &str = "/friend/get.action";
const FORM: &[u8] = b"accid=alice";

/// The code of a harmless call with these headers.
async fn shown(client: &NetEase, headers: &[(&str, String)]) -> i64 {
    code(&members(&client.post(GET, headers, FORM).await))
}

/// The headers with another value under this name.
fn with<'a>(
    headers: &[(&'a str, String)],
    name: &str,
    value: impl Into<String>,
) -> Vec<(&'a str, String)> {
    let value = value.into();
    let change = |(given, kept): &(&'a str, String)| {
        (*given, if *given == name { value.clone() } else { kept.clone() })
    };
    headers.iter().map(change).collect()
}

#[tokio::test]
async fn the_vendors_own_checksum_opens() {
    let clock = Clock::stopped_at(OffsetDateTime::from_unix_timestamp(1_443_592_222).unwrap());
    let (app, tenant, _) = netease_with(&[], clock).await;
    tenant.create(&["alice"]).await;
    // The vendor's secret is shorter than one that can be chosen: it was set by an older version.
    let sealed =
        app.core.keyring.get().seal(&Secret::presented("secret"), tenant.app.uuid.parse().unwrap());
    sqlx::query("update apps set netease_app_key = $1, netease_secret = $2")
        .bind("go9dnk49bkd9jd9vmel1kglw0803mgq3")
        .bind(sealed)
        .execute(app.pool())
        .await
        .unwrap();
    let client = NetEase::new(&app, "go9dnk49bkd9jd9vmel1kglw0803mgq3", "secret");
    let headers = [
        ("AppKey", "go9dnk49bkd9jd9vmel1kglw0803mgq3"),
        ("Nonce", "4tgggergigwow323t23t"),
        ("CurTime", "1443592222"),
        ("CheckSum", "4900b1b7b27c8f0e5eecb224b956b660d14006d8"),
    ];
    let headers = headers.map(|(name, value)| (name, value.to_owned()));
    assert_eq!(shown(&client, &headers).await, 200);
    for (name, other) in [("Nonce", "4tgggergigwow323t23u"), ("CurTime", "1443592223")] {
        assert_eq!(shown(&client, &with(&headers, name, other)).await, 414, "{name}");
    }
}

#[tokio::test]
async fn a_checksum_is_valid_for_five_minutes_and_no_second_more() {
    let (app, _tenant, client) = netease(&["alice"]).await;
    let now = NOON.unix_timestamp();
    let made = |at: i64| client.headers_with("nonce", &at.to_string());
    for (at, expected) in [(-300, 200), (-301, 414), (300, 200), (301, 414), (0, 200)] {
        assert_eq!(shown(&client, &made(now + at)).await, expected, "{at}");
    }
    let headers = made(now);
    app.core.clock.advance(Duration::minutes(5));
    assert_eq!(shown(&client, &headers).await, 200);
    app.core.clock.advance(Duration::microseconds(1));
    assert_eq!(shown(&client, &headers).await, 414);
}

#[tokio::test]
async fn a_curtime_that_is_no_time_in_seconds_is_refused() {
    let (_app, _tenant, client) = netease(&["alice"]).await;
    let now = NOON.unix_timestamp();
    let odd = [
        format!("{now}000"),
        format!("+{now}"),
        format!("{now}.0"),
        format!("0x{now:x}"),
        "2026-11-21T12:00:00Z".to_owned(),
        "now".to_owned(),
        "-1".to_owned(),
        "9".repeat(200),
        String::new(),
    ];
    for cur_time in odd {
        let headers = client.headers_with("nonce", &cur_time);
        let answer = members(&client.post(GET, &headers, FORM).await);
        assert_eq!(code(&answer), 414, "{cur_time}");
        assert!(answer["desc"].as_str().unwrap().contains("CurTime"), "{answer}");
    }
}

#[tokio::test]
async fn a_nonce_has_up_to_128_characters() {
    let (_app, _tenant, client) = netease(&["alice"]).await;
    let now = NOON.unix_timestamp().to_string();
    for (length, expected) in [(0, 414), (1, 200), (128, 200), (129, 414)] {
        let headers = client.headers_with(&"n".repeat(length), &now);
        assert_eq!(shown(&client, &headers).await, expected, "{length}");
    }
}

#[tokio::test]
async fn a_header_that_is_missing_is_named() {
    let (_app, _tenant, client) = netease(&["alice"]).await;
    for missing in ["AppKey", "Nonce", "CurTime", "CheckSum"] {
        let mut headers = client.headers();
        headers.retain(|(name, _)| *name != missing);
        let answer = members(&client.post(GET, &headers, FORM).await);
        assert_eq!(code(&answer), 414);
        assert!(answer["desc"].as_str().unwrap().contains(missing), "{answer}");
    }
    let answer = members(&client.post(GET, &[], FORM).await);
    assert_eq!(code(&answer), 414);
}

#[tokio::test]
async fn headers_are_found_whatever_the_case_of_their_names() {
    let (_app, _tenant, client) = netease(&["alice"]).await;
    for names in [
        ["appkey", "nonce", "curtime", "checksum"],
        ["APPKEY", "NONCE", "CURTIME", "CHECKSUM"],
        ["appKey", "nOnce", "curTime", "checkSum"],
    ] {
        let headers = client.headers();
        let values = headers.into_iter().map(|(_, value)| value);
        let headers: Vec<_> = names.into_iter().zip(values).collect();
        assert_eq!(shown(&client, &headers).await, 200, "{names:?}");
    }
}

#[tokio::test]
async fn whatever_does_not_match_is_refused_in_the_same_words() {
    let (app, _tenant, client) = netease(&["alice"]).await;
    let other = app.tenant("other#app").await;
    let other = app.netease_of(&other, "another-app-key").await;
    let right = client.headers();
    let sum = right[3].1.clone();
    let last = if sum.ends_with('0') { "1" } else { "0" };
    let mut wrong = vec![
        with(&right, "CheckSum", sum.to_uppercase()),
        with(&right, "CheckSum", format!("{}{last}", &sum[..39])),
        with(&right, "CheckSum", &sum[..39]),
        with(&right, "CheckSum", format!("{sum}0")),
        with(&right, "CheckSum", "0".repeat(40)),
        with(&right, "CheckSum", ""),
        with(&right, "AppKey", "another-app-key"),
    ];
    let strange = ["nobodys-app-key", "", "' or ''='", "acme#chat", &"k".repeat(129), "a\tb"];
    wrong.extend(strange.iter().map(|app_key| with(&right, "AppKey", *app_key)));
    for headers in wrong {
        let answer = client.post(GET, &headers, FORM).await;
        let refused = r#"{"code":414,"desc":"AppKey or CheckSum does not match"}"#;
        assert_eq!(answer, refused, "{headers:?}");
    }
    assert_eq!(shown(&client, &right).await, 200);
    assert_eq!(other.code(GET, &[("accid", "alice")]).await, 404, "it has users of its own");
}

#[tokio::test]
async fn the_same_checksum_may_come_twice_unless_replays_are_refused() {
    let clock = Clock::stopped_at(NOON);
    let (app, tenant, client) = netease_with(&[], clock.clone()).await;
    tenant.create(&["alice"]).await;
    let headers = client.headers();
    for _ in 0..3 {
        assert_eq!(shown(&client, &headers).await, 200);
    }

    let flags = ["--credentials-key", CREDENTIALS_KEY];
    let flags = [&flags[..], &["--netease-refuse-replays", "true"]].concat();
    let strict = TestApp::on(&app.database_url, &flags, clock.clone()).await;
    let client = NetEase::new(&strict, &client.app_key, &client.app_secret);
    let headers = client.headers();
    // What was refused for another reason is not used up.
    assert_eq!(shown(&client, &with(&headers, "CheckSum", "0".repeat(40))).await, 414);
    assert_eq!(shown(&client, &headers).await, 200);
    let again = members(&client.post(GET, &headers, FORM).await);
    assert_eq!(again["desc"], "the CheckSum was used before", "{again}");
    assert_eq!(shown(&client, &client.headers()).await, 200, "a new Nonce");
    clock.advance(Duration::minutes(5));
    assert_eq!(shown(&client, &headers).await, 414, "as long as it would be valid");

    // Each app has its own.
    let other = strict.tenant("other#app").await;
    other.create(&["alice"]).await;
    let mut other = strict.netease_of(&other, "another-app-key").await;
    other.app_secret.clone_from(&client.app_secret);
    let request = proto::SetCredentialsRequest {
        app_key: "other#app".to_owned(),
        netease_app_key: other.app_key.clone(),
        netease_app_secret: client.app_secret.clone(),
        ..proto::SetCredentialsRequest::default()
    };
    strict.apps().set_credentials(request).await.unwrap();
    let now = clock.now().unix_timestamp().to_string();
    assert_eq!(shown(&client, &client.headers_with("same", &now)).await, 200);
    assert_eq!(shown(&other, &other.headers_with("same", &now)).await, 200);
}

#[tokio::test]
async fn of_many_who_come_with_one_checksum_at_once_one_gets_in() {
    let flags = ["--netease-refuse-replays", "true"];
    let (_app, tenant, client) = netease_with(&flags, Clock::stopped_at(NOON)).await;
    tenant.create(&["alice"]).await;
    let headers = client.headers();
    let client = std::sync::Arc::new(client);
    let codes = race(8, |_| {
        let (client, headers) = (std::sync::Arc::clone(&client), headers.clone());
        async move { shown(&client, &headers).await }
    });
    let mut codes = codes.await;
    codes.sort_unstable();
    assert_eq!(codes, [200, 414, 414, 414, 414, 414, 414, 414]);
}

#[tokio::test]
async fn wrong_checksums_are_counted_by_app_key_and_the_right_one_is_refused_after_ten_too() {
    let (app, _tenant, client) = netease(&["alice"]).await;
    let theirs = app.tenant("other#app").await;
    let other = app.netease_of(&theirs, "another-app-key").await;
    theirs.create(&["alice"]).await;
    let guesser = Arc::new(NetEase::new(&app, &client.app_key, "a-guess-of-the-secret"));
    let guesses: Vec<_> = (0..60)
        .map(|_| {
            let guesser = Arc::clone(&guesser);
            tokio::spawn(async move { guesser.code(GET, &[("accid", "alice")]).await })
        })
        .collect();
    let mut codes = Vec::new();
    for guess in guesses {
        codes.push(guess.await.unwrap());
    }
    assert_eq!(codes.iter().filter(|code| **code == 414).count(), 10, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 416).count(), 50, "{codes:?}");
    assert_eq!(client.code(GET, &[("accid", "alice")]).await, 416, "a guesser learns nothing");
    assert_eq!(other.code(GET, &[("accid", "alice")]).await, 200, "no other app is concerned");
}
