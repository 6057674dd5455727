//! Answers that others give befriend: receivers of callbacks, and the vendors that an app is pulled from.

use std::{num::NonZeroU32, time::Duration};

use befriend::{
    clock::Clock,
    domain::Secret,
    proto::{self, callback_rule_service_client::CallbackRuleServiceClient},
    pull::{self, Easemob, EasemobSettings, NetEase, NetEaseSettings, Pace, Vendor},
    transfer::ProgressSink,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;

use super::site::Site;

/// What a receiver sends back, from the first byte of its HTTP response on.
pub async fn receiver(site: &Site, input: &[u8]) {
    let answering = async {
        let (mut stream, _) = site.receiver.accept().await.expect("befriend connects");
        let _ = stream.write_all(input).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    };
    let request = proto::TestCallbackRuleRequest {
        app_key: site.app_key.clone(),
        rule_id: site.rule_id.clone(),
    };
    let mut rules = CallbackRuleServiceClient::new(site.channel.clone());
    let call = rules.test_callback_rule(site.operators(request));
    let (answer, ()) = tokio::join!(call, answering);
    let attempt = answer.expect("an answer, whatever the receiver sends").into_inner().attempt;
    let attempt = attempt.expect("an attempt");
    assert!(attempt.http_status != 0 || !attempt.error.is_empty(), "{attempt:?} says nothing");
}

/// What a vendor answers to the calls of a pull: the first byte chooses the vendor. The bodies of the
/// answers, each of status 200, are separated by a byte 0xFF. After the last one the vendor is away.
pub async fn vendor(input: &[u8]) {
    let [which, rest @ ..] = input else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let pace = Pace {
        per_second: NonZeroU32::new(1_000_000).expect("not zero"),
        in_flight: 1,
        retries: 0,
        backoff: Duration::ZERO,
    };
    let secret = Secret::presented("a-secret");
    let vendor = if which & 1 == 0 {
        let (app_key, client_id) = ("org#app".to_owned(), "an-id".to_owned());
        let settings = EasemobSettings { url, app_key, client_id, client_secret: secret };
        Vendor::Easemob(Box::new(Easemob::new(settings, pace).expect("a vendor")))
    } else {
        let settings = NetEaseSettings { url, app_key: "a-key".to_owned(), app_secret: secret };
        Vendor::NetEase(Box::new(NetEase::new(settings, pace, Clock::system()).expect("a vendor")))
    };
    let folder = tempfile::tempdir().expect("a folder");
    // NetEase has no list of users: the names come from a file.
    let names = folder.path().join("names");
    std::fs::write(&names, "alice\nbob\n").expect("a file of names");
    let names = (which & 1 == 1).then_some(names.as_path());
    let to = folder.path().join("pulled");
    let stop = CancellationToken::new();
    let mut silent = Silent;
    let pulling = pull::pull(&vendor, &to, names, &stop, &mut silent);
    tokio::select! {
        // Any error will do; a panic ends the fuzzer.
        _ = pulling => {}
        () = answer_all(&listener, rest) => unreachable!("the vendor goes on refusing"),
    }
}

async fn answer_all(listener: &TcpListener, bodies: &[u8]) {
    let mut bodies = bodies.split(|byte| *byte == 0xFF);
    loop {
        let (mut stream, _) = listener.accept().await.expect("befriend connects");
        let Some(body) = bodies.next() else { continue };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            body.len()
        );
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
        let _ = stream.shutdown().await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
}

struct Silent;

impl ProgressSink for Silent {
    fn begin(&mut self, _step: &str, _total: Option<u64>) {}
    fn advance(&mut self, _count: u64) {}
    fn problem(&mut self, _problem: &str) {}
}
