//! Calls from pages in browsers.

use befriend::clock::Clock;
use serde_json::json;

use crate::support::{TestApp, connect::Caller, http::Answer};

const PAGE: &str = "https://console.example:8443";
const METHOD: &str = "UserService/GetUser";

async fn server(flags: &[&str]) -> (TestApp, Caller) {
    let app = TestApp::with(flags, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    let caller = Caller::new(&app.url, &tenant.token);
    (app, caller)
}

async fn preflight(caller: &Caller, origin: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,connect-protocol-version,content-type"),
    ];
    caller.ask("OPTIONS", METHOD, &headers, b"").await
}

async fn call(caller: &Caller, origin: &str) -> Answer {
    let body = json!({ "username": "alice" }).to_string();
    caller.ask("POST", METHOD, &[("origin", origin)], body.as_bytes()).await
}

fn lets_in(answer: &Answer) -> &str {
    answer.header("access-control-allow-origin")
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_call() {
    let origins = format!("https://other.example,{PAGE}");
    let (_app, caller) = server(&["--cors-origins", &origins]).await;
    let asked = preflight(&caller, PAGE).await;
    assert_eq!((asked.status, lets_in(&asked), asked.header("vary")), (204, PAGE, "origin"));
    assert!(asked.header("access-control-allow-methods").contains("POST"));
    let taken = asked.header("access-control-allow-headers").to_owned();
    for name in ["authorization", "content-type", "connect-protocol-version", "x-grpc-web"] {
        assert!(taken.contains(name), "{taken}");
    }
    let called = call(&caller, PAGE).await;
    assert_eq!((called.status, lets_in(&called)), (200, PAGE));
    let exposed = called.header("access-control-expose-headers").to_owned();
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin", "x-request-id"] {
        assert!(exposed.contains(name), "{exposed}");
    }
    // Also what was refused has to be readable.
    let refused = caller.ask("POST", METHOD, &[("origin", PAGE)], b"no").await;
    assert_eq!((refused.status, lets_in(&refused)), (400, PAGE));
    let kind = [("origin", PAGE), ("content-type", "text/plain")];
    let refused = caller.ask("POST", METHOD, &kind, b"").await;
    assert_eq!((refused.status, lets_in(&refused)), (415, PAGE));
    let kind = [("origin", PAGE), ("content-type", "application/grpc-web")];
    let refused = caller.ask("POST", METHOD, &kind, b"").await;
    assert_eq!((refused.status, lets_in(&refused)), (200, PAGE));
}

#[tokio::test]
async fn a_page_of_another_origin_stays_out() {
    let (_app, caller) = server(&["--cors-origins", PAGE]).await;
    for origin in ["https://console.example", "http://console.example:8443", "null", "*"] {
        let asked = preflight(&caller, origin).await;
        assert_eq!((asked.status, lets_in(&asked), asked.header("vary")), (405, "", "origin"));
        assert_eq!(lets_in(&call(&caller, origin).await), "");
    }
}

#[tokio::test]
async fn all_pages_may_call_where_the_setting_says_so() {
    let (_app, caller) = server(&["--cors-origins", "*"]).await;
    let asked = preflight(&caller, PAGE).await;
    assert_eq!((asked.status, lets_in(&asked), asked.header("vary")), (204, "*", ""));
    assert_eq!(lets_in(&call(&caller, PAGE).await), "*");
    assert_eq!(lets_in(&caller.ask("POST", METHOD, &[], b"{}").await), "");
}

#[tokio::test]
async fn without_the_setting_no_page_may_call() {
    let (_app, caller) = server(&[]).await;
    let asked = preflight(&caller, PAGE).await;
    assert_eq!((asked.status, lets_in(&asked), asked.header("vary")), (405, "", ""));
    assert_eq!(lets_in(&call(&caller, PAGE).await), "");
}

#[tokio::test]
async fn the_vendors_apis_are_not_opened_to_pages() {
    let (_app, caller) = server(&["--cors-origins", "*"]).await;
    let headers = [("origin", PAGE), ("access-control-request-method", "GET")];
    for verb in ["OPTIONS", "GET"] {
        let answer = caller.ask(verb, "/acme/chat/users/alice", &headers, b"").await;
        assert_eq!(lets_in(&answer), "", "{verb}");
    }
}
