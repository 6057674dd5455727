//! Traces: what a receiver of OTLP gets of a call, and what it does not get.

use std::{collections::HashMap, process::Command};

use befriend::proto::{self, AppLimits, callback_rule_service_client::CallbackRuleServiceClient};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind, status::StatusCode};
use tonic::{Request, transport::Endpoint};

use crate::support::{
    app::{Bearer, OPERATOR_TOKEN, Tenant, tenant_on},
    binary::Service,
    certificates::Certificates,
    otlp::{Collector, texts},
    postgres,
    receiver::{Callback, Receiver, rule_to},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// A service with these settings, and an app with users and a receiver of its events.
async fn start(flags: &[&str]) -> (Service, Tenant, Receiver) {
    start_with(flags, |_| {}).await
}

/// The same, with what `prepare` changes of the command that starts the service.
async fn start_with(
    flags: &[&str],
    prepare: impl FnOnce(&mut Command),
) -> (Service, Tenant, Receiver) {
    let database = postgres::fresh_database().await;
    let always = ["--database-url", &database, "--operator-token", OPERATOR_TOKEN];
    let private = ["--callback-allow-private", "true"];
    let service = Service::start_with(&[&always[..], &private, flags].concat(), prepare).await;
    let channel = Endpoint::from_shared(service.url.clone()).unwrap().connect_lazy();
    let tenant =
        tenant_on(channel.clone(), OPERATOR_TOKEN, "acme#chat", AppLimits::default()).await;
    tenant.create(&["zz-one", "zz-two", "zz-three"]).await;
    let receiver = Receiver::start().await;
    let operator = Bearer::new(OPERATOR_TOKEN);
    let mut rules = CallbackRuleServiceClient::with_interceptor(channel, operator);
    rules.create_callback_rule(rule_to(&receiver.url)).await.unwrap();
    (service, tenant, receiver)
}

/// Makes two users friends, as a part of a trace that its caller samples.
async fn befriend(tenant: &Tenant, owner: &str, friend: &str) {
    let (owner, friend) = (owner.to_owned(), friend.to_owned());
    let request = proto::AddFriendRequest { owner, friend, ..Default::default() };
    let mut request = Request::new(request);
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    request.metadata_mut().insert("tracestate", "vendor=a1".parse().unwrap());
    request.metadata_mut().insert("x-request-id", "request-1".parse().unwrap());
    tenant.friends().add_friend(request).await.unwrap();
}

/// The only one of this name.
#[track_caller]
fn one<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let names = || spans.iter().map(|span| &span.name).collect::<Vec<_>>();
    let one = found.next().unwrap_or_else(|| panic!("no {name} in {:?}", names()));
    assert!(found.next().is_none(), "several {name} in {:?}", names());
    one
}

fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}

/// What the callback says of the trace: trace id, span id, tracestate.
fn carried(callback: &Callback) -> (String, String, String) {
    let parts: Vec<&str> = callback.header("traceparent").split('-').collect();
    assert_eq!((parts[0], parts[3]), ("00", "01"));
    (parts[1].to_owned(), parts[2].to_owned(), callback.header("tracestate").to_owned())
}

#[tokio::test]
async fn a_call_is_one_trace_from_its_caller_through_batch_and_statements_to_the_callback() {
    let collector = Collector::grpc().await;
    // Nothing is sampled but what a caller samples.
    let flags = ["--otlp-endpoint", &collector.url, "--trace-sampling", "0.000000001"];
    let (mut service, tenant, mut receiver) = start(&flags).await;
    befriend(&tenant, "zz-one", "zz-two").await;
    let callback = receiver.next().await;
    assert!(service.stop().await, "{}", service.logged);

    let all = collector.spans();
    let spans: Vec<Span> = all.into_iter().filter(|span| hex(&span.trace_id) == TRACE).collect();
    let call = one(&spans, "befriend.v1.FriendService/AddFriend");
    assert_eq!((hex(&call.parent_span_id).as_str(), call.kind()), (CALLER, SpanKind::Server));
    let said = texts(&call.attributes);
    for (key, value) in [
        ("rpc.system.name", "grpc"),
        ("rpc.method", "befriend.v1.FriendService/AddFriend"),
        ("rpc.response.status_code", "OK"),
        ("befriend.operation", "FriendService/AddFriend"),
        ("befriend.app", "acme#chat"),
    ] {
        assert_eq!(said.get(key).map(String::as_str), Some(value), "{key}");
    }
    let batch = one(&spans, "batch add_friend");
    assert_eq!(batch.parent_span_id, call.span_id);
    assert_eq!(batch.links.iter().map(|link| &link.span_id).collect::<Vec<_>>(), [&call.span_id]);
    assert_eq!(texts(&batch.attributes)["befriend.batch.members"], "1");
    for statement in
        ["begin", "heads.lock", "friends.upsert_keeping_remark", "outbox.add", "commit"]
    {
        let span = one(&spans, statement);
        assert_eq!((&span.parent_span_id, span.kind()), (&batch.span_id, SpanKind::Client));
        assert!(batch.start_time_unix_nano <= span.start_time_unix_nano, "{statement}");
        assert!(span.end_time_unix_nano <= batch.end_time_unix_nano, "{statement}");
    }
    let delivery = one(&spans, "POST");
    assert_eq!((&delivery.parent_span_id, delivery.kind()), (&call.span_id, SpanKind::Client));
    assert_eq!(delivery.links.len(), 1);
    assert_eq!(delivery.links[0].span_id, call.span_id);
    assert_eq!(texts(&delivery.attributes)["http.response.status_code"], "200");
    let expected = (TRACE.to_owned(), hex(&delivery.span_id), "vendor=a1".to_owned());
    assert_eq!(carried(&callback), expected);

    let resources = collector.resources();
    assert_eq!(resources.len(), 1);
    assert_eq!(resources[0]["service.name"], "befriend");
    assert_eq!(resources[0]["service.version"], env!("CARGO_PKG_VERSION"));
    assert!(resources[0].contains_key("service.instance.id"));
    // Neither parameters nor secrets go out.
    let exported = format!("{spans:?}");
    for telling in ["zz-one", "zz-two", &tenant.token, "select ", "insert "] {
        assert!(!exported.contains(telling), "{telling} is in {exported}");
    }
    let lines = service.lines("request");
    let line = lines.iter().find(|line| line["operation"] == "FriendService/AddFriend").unwrap();
    assert_eq!((&line["request_id"], &line["trace_id"]), (&"request-1".into(), &TRACE.into()));
}

#[tokio::test]
async fn a_sampled_batch_is_linked_to_all_its_members_and_each_event_to_its_own_call() {
    let collector = Collector::http().await;
    let flags = ["--otlp-endpoint", &collector.url, "--otlp-protocol", "http"];
    let flags = [&flags[..], &["--trace-sampling", "1"]].concat();
    let (mut service, tenant, mut receiver) = start(&flags).await;
    let pairs = [("zz-one", "zz-two"), ("zz-one", "zz-three"), ("zz-two", "zz-three")];
    let calls = pairs.map(|(owner, friend)| tenant.befriend(owner, friend));
    for done in futures_util::future::join_all(calls).await {
        done.unwrap();
    }
    // Each friendship is one event.
    let callbacks = receiver.take(pairs.len()).await;
    assert!(service.stop().await, "{}", service.logged);

    let spans = collector.spans();
    let of_name = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let calls = of_name("befriend.v1.FriendService/AddFriend");
    let batches = of_name("batch add_friend");
    let linked: Vec<_> = batches.iter().flat_map(|batch| &batch.links).collect();
    let call_of: HashMap<_, _> = calls.iter().map(|call| (hex(&call.trace_id), call)).collect();
    assert_eq!(call_of.len(), pairs.len(), "each call is a trace of its own");
    for call in &calls {
        assert!(linked.iter().any(|link| link.span_id == call.span_id), "{call:?}");
        let batch =
            batches.iter().find(|batch| batch.links.iter().any(|l| l.span_id == call.span_id));
        let batch = batch.unwrap();
        let linked = call.links.iter().any(|link| link.span_id == batch.span_id);
        assert!(linked || batch.parent_span_id == call.span_id, "{call:?} {batch:?}");
    }
    let mut traces: Vec<String> = callbacks
        .iter()
        .map(|callback| callback.header("traceparent").split('-').nth(1).unwrap().to_owned())
        .collect();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), pairs.len(), "each event belongs to the trace of its own call");
    assert!(traces.iter().all(|trace| call_of.contains_key(trace)));
}

#[tokio::test]
async fn spans_reach_a_receiver_with_tls_whose_authority_ssl_cert_file_names_and_no_other() {
    let certificates = Certificates::make();
    let ca = certificates.path("ca.pem");
    for (protocol, collector) in [
        ("grpc", Collector::grpc_with_tls(&certificates).await),
        ("http", Collector::http_with_tls(&certificates).await),
    ] {
        let flags = ["--otlp-endpoint", &collector.url, "--otlp-protocol", protocol];
        let flags = [&flags[..], &["--trace-sampling", "1"]].concat();
        let (mut service, tenant, _receiver) = start_with(&flags, |command| {
            command.env("SSL_CERT_FILE", &ca);
        })
        .await;
        tenant.befriend("zz-one", "zz-two").await.unwrap();
        assert!(service.stop().await, "{}", service.logged);
        one(&collector.spans(), "befriend.v1.FriendService/AddFriend");

        let (mut service, tenant, _receiver) = start(&flags).await;
        service.logs("traces can't be exported: spans are lost").await;
        tenant.befriend("zz-one", "zz-two").await.unwrap();
        assert!(service.stop().await, "{}", service.logged);
        one(&collector.spans(), "befriend.v1.FriendService/AddFriend");
    }
}

#[tokio::test]
async fn at_sampling_0_nothing_is_exported_even_if_the_caller_samples() {
    let collector = Collector::grpc().await;
    let flags = ["--otlp-endpoint", &collector.url, "--trace-sampling", "0"];
    let (mut service, tenant, mut receiver) = start(&flags).await;
    befriend(&tenant, "zz-one", "zz-two").await;
    let callback = receiver.next().await;
    assert!(service.stop().await, "{}", service.logged);
    assert_eq!(collector.spans(), []);
    assert!(!callback.headers.contains_key("traceparent"), "{:?}", callback.headers);
}

#[tokio::test]
async fn without_an_endpoint_no_traceparent_is_added_and_the_log_tells_the_callers_trace() {
    let (mut service, tenant, mut receiver) = start(&[]).await;
    befriend(&tenant, "zz-one", "zz-two").await;
    tenant.befriend("zz-one", "zz-three").await.unwrap();
    for callback in receiver.take(2).await {
        assert!(!callback.headers.contains_key("traceparent"), "{:?}", callback.headers);
        assert!(!callback.headers.contains_key("tracestate"), "{:?}", callback.headers);
    }
    assert!(service.stop().await, "{}", service.logged);
    let lines = service.lines("request");
    let adds = lines.iter().filter(|line| line["operation"] == "FriendService/AddFriend");
    let ids: Vec<Option<&str>> = adds.map(|line| line["trace_id"].as_str()).collect();
    assert_eq!(ids, [Some(TRACE), None]);
}

#[tokio::test]
async fn a_receiver_that_is_away_is_told_of_once_and_holds_up_no_call() {
    let away = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", away.local_addr().unwrap());
    drop(away);
    let (mut service, tenant, _receiver) =
        start(&["--otlp-endpoint", &url, "--trace-sampling", "1"]).await;
    let told = "traces can't be exported: spans are lost";
    assert_eq!(service.logs(told).await["level"], "WARN");
    tenant.befriend("zz-one", "zz-two").await.unwrap();
    assert!(service.stop().await, "{}", service.logged);
    assert_eq!(service.lines(told).len(), 1, "{}", service.logged);
}

#[tokio::test]
async fn a_call_that_fails_tells_its_code_and_reason_over_each_surface() {
    let collector = Collector::grpc().await;
    let flags = ["--otlp-endpoint", &collector.url, "--trace-sampling", "1"];
    let (mut service, tenant, _receiver) = start(&flags).await;
    tenant.befriend("zz-one", "zz-nobody").await.unwrap_err();
    let traceparent = format!("00-{TRACE}-{CALLER}-01");
    let headers = [("traceparent", traceparent.as_str())];
    let path = "/acme/chat/users/zz-one/contacts/users";
    let answer = crate::support::http::ask(&service.url, "GET", path, &headers, b"").await;
    assert_eq!(answer.status, 401);
    assert!(service.stop().await, "{}", service.logged);

    let spans = collector.spans();
    let call = one(&spans, "befriend.v1.FriendService/AddFriend");
    let said = texts(&call.attributes);
    assert_eq!(said["rpc.response.status_code"], "NOT_FOUND");
    assert_eq!(said["error.type"], "USER_NOT_FOUND");
    // The caller is at fault, and not the service.
    assert_ne!(call.status.clone().unwrap_or_default().code(), StatusCode::Error);
    let of_caller = spans.iter().find(|span| hex(&span.parent_span_id) == CALLER);
    let request = of_caller.expect("a span of the HTTP request");
    let route = "/{org_name}/{app_name}/users/{owner}/contacts/users";
    assert_eq!(request.name, format!("GET {route}"));
    assert_eq!(texts(&request.attributes)["http.route"], route);
    assert_eq!(texts(&request.attributes)["http.response.status_code"], "401");
    let lines = service.lines("request");
    let codes: Vec<_> = lines.iter().map(|line| (&line["grpc_code"], &line["http_code"])).collect();
    assert!(codes.contains(&(&"NotFound".into(), &serde_json::Value::Null)), "{codes:?}");
    assert!(codes.contains(&(&serde_json::Value::Null, &401.into())), "{codes:?}");
}
