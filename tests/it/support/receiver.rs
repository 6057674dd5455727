//! A receiver of callbacks that answers as the test says, request by request.
//!
//! It speaks HTTP/1.1 by hand over plain TCP or TLS, so that it can misbehave in ways that a server
//! library does not allow: hang, reset, never end.

use std::{
    collections::HashMap,
    future::Future,
    net::SocketAddr,
    process::Stdio,
    sync::{Arc, Mutex},
    time::Duration,
};

use befriend::proto;
use rustls::{ServerConfig, crypto::ring};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};

use super::{TestApp, binary};

/// How long a test waits for what must come, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Callback {
    /// The path and query it was sent to.
    pub path: String,
    /// Its headers, names in lower case.
    pub headers: HashMap<String, String>,
    /// Its body.
    pub body: String,
    /// The address it came from: one for each connection.
    pub from: SocketAddr,
}

impl Callback {
    /// A header.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers))
    }

    /// The webhook-id.
    pub fn id(&self) -> &str {
        self.header("webhook-id")
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("a body is JSON")
    }

    /// The owner, in the standard form.
    pub fn owner(&self) -> String {
        self.json()["data"]["owner"].as_str().expect("a name").to_owned()
    }

    /// The owner's version, in the standard form.
    pub fn version(&self) -> i64 {
        self.json()["data"]["version"].as_i64().expect("a number")
    }
}

/// What a receiver does with a request.
#[derive(Clone)]
pub enum Answer {
    /// Answers with this status, these headers and this body.
    With(u16, &'static [(&'static str, &'static str)], &'static str),
    /// Answers once the semaphore has a permit, which it takes.
    After(Arc<Semaphore>, u16),
    /// Resets the connection.
    Reset,
    /// Never answers.
    Hang,
    /// Answers with this status and a body without an end.
    Endless(u16),
    /// Answers with this status, and never sends the body that it announced.
    Stuck(u16),
}

/// Answers with a status and nothing else.
pub fn status(status: u16) -> Answer {
    Answer::With(status, &[], "")
}

type Script = dyn Fn(&Callback) -> Answer + Send + Sync;

/// A receiver on a port of its own. It ends with the test.
pub struct Receiver {
    /// Where it listens: "http://127.0.0.1:port/callbacks".
    pub url: String,
    came: mpsc::UnboundedReceiver<Callback>,
    script: Arc<Mutex<Arc<Script>>>,
    listening: JoinHandle<()>,
}

impl Receiver {
    /// A receiver that takes everything with 200.
    pub async fn start() -> Self {
        Self::listen(None).await
    }

    /// A receiver with TLS, for "localhost".
    pub async fn with_tls(config: ServerConfig) -> Self {
        Self::listen(Some(config)).await
    }

    async fn listen(tls: Option<ServerConfig>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let url = match tls {
            None => format!("http://127.0.0.1:{port}/callbacks"),
            Some(_) => format!("https://localhost:{port}/callbacks"),
        };
        let script: Arc<Mutex<Arc<Script>>> = Arc::new(Mutex::new(Arc::new(|_: &_| status(200))));
        let (sender, came) = mpsc::unbounded_channel();
        let tls = tls.map(|config| tokio_rustls::TlsAcceptor::from(Arc::new(config)));
        let scripted = Arc::clone(&script);
        let listening = tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                // We close a connection only to reset it.
                stream.set_zero_linger().expect("a socket option");
                stream.set_nodelay(true).expect("a socket option");
                let (sender, script, tls) = (sender.clone(), Arc::clone(&scripted), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, from, &sender, &script).await,
                        Some(tls) => {
                            // A caller who does not trust us hangs up in the handshake.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, from, &sender, &script).await;
                            }
                        }
                    }
                });
            }
        });
        Self { url, came, script, listening }
    }

    /// From now on answers as `script` says.
    pub fn answer(&self, script: impl Fn(&Callback) -> Answer + Send + Sync + 'static) {
        *self.script.lock().expect("no test panics in here") = Arc::new(script);
    }

    /// The next request.
    pub async fn next(&mut self) -> Callback {
        let next = tokio::time::timeout(PATIENCE, self.came.recv()).await;
        next.expect("a callback comes").expect("the receiver listens")
    }

    /// The next requests, so many.
    pub async fn take(&mut self, count: usize) -> Vec<Callback> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            taken.push(self.next().await);
        }
        taken
    }

    /// What else has come by now.
    pub fn rest(&mut self) -> Vec<Callback> {
        std::iter::from_fn(|| self.came.try_recv().ok()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Takes requests from a connection until it ends.
async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    from: SocketAddr,
    sender: &mpsc::UnboundedSender<Callback>,
    script: &Mutex<Arc<Script>>,
) {
    let mut buffer = Vec::new();
    while let Some(callback) = read(&mut stream, &mut buffer, from).await {
        let script = Arc::clone(&script.lock().expect("no test panics in here"));
        let answer = script(&callback);
        if sender.send(callback).is_err() {
            return;
        }
        let head = |status: u16, headers: &str| format!("HTTP/1.1 {status} Said\r\n{headers}\r\n");
        let written = match answer {
            Answer::With(status, headers, body) => {
                let mut lines = format!("content-length: {}\r\n", body.len());
                for (name, value) in headers {
                    lines += &format!("{name}: {value}\r\n");
                }
                stream.write_all((head(status, &lines) + body).as_bytes()).await
            }
            Answer::After(permits, status) => {
                permits.acquire().await.expect("the semaphore stays open").forget();
                stream.write_all(head(status, "content-length: 0\r\n").as_bytes()).await
            }
            Answer::Reset => return,
            Answer::Hang => std::future::pending().await,
            Answer::Endless(status) => {
                let chunk = format!("{:x}\r\n{}\r\n", 4096, "x".repeat(4096));
                let mut written = stream
                    .write_all(head(status, "transfer-encoding: chunked\r\n").as_bytes())
                    .await;
                while written.is_ok() {
                    written = stream.write_all(chunk.as_bytes()).await;
                }
                written
            }
            Answer::Stuck(status) => {
                let head = head(status, "content-length: 100\r\n") + "begun";
                stream.write_all(head.as_bytes()).await.expect("a few bytes can be written");
                std::future::pending().await
            }
        };
        if written.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// The next request of a connection; nothing at its end.
async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    from: SocketAddr,
) -> Option<Callback> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..end + 4).collect()).expect("a head is ASCII");
    let mut lines = head.trim_end().lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: HashMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length")?.parse().ok()?;
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(buffer.drain(..length).collect()).expect("a body is UTF-8");
    Some(Callback { path, headers, body, from })
}

/// A certificate for "localhost" and the authority that signed it, as PEM, and a server with it.
pub fn authority() -> (String, ServerConfig) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("the key belongs to the certificate");
    (made.cert.pem(), config)
}

/// Looks again and again until `look` finds something, where nothing tells of it.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let looking = async {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, looking).await;
    found.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

/// A rule of "acme#chat" for all events, in the standard form.
pub fn rule_to(url: &str) -> proto::CreateCallbackRuleRequest {
    proto::CreateCallbackRuleRequest {
        app_key: "acme#chat".to_owned(),
        url: url.to_owned(),
        ..proto::CreateCallbackRuleRequest::default()
    }
}

impl TestApp {
    /// Makes a rule; returns it and its secret.
    pub async fn rule(
        &self,
        rule: proto::CreateCallbackRuleRequest,
    ) -> (proto::CallbackRule, String) {
        let made =
            self.callback_rules().create_callback_rule(rule).await.expect("a rule").into_inner();
        (made.rule.expect("a rule"), made.signing_secret)
    }

    /// A rule of "acme#chat" as it is now.
    pub async fn rule_now(&self, rule_id: &str) -> proto::CallbackRule {
        let (app_key, rule_id) = ("acme#chat".to_owned(), rule_id.to_owned());
        let request = proto::GetCallbackRuleRequest { app_key, rule_id };
        let answer =
            self.callback_rules().get_callback_rule(request).await.expect("the rule is there");
        answer.into_inner().rule.expect("a rule")
    }

    /// Switches a rule of "acme#chat" on or off.
    pub async fn switch(&self, rule_id: &str, enabled: bool) {
        let request = proto::UpdateCallbackRuleRequest {
            app_key: "acme#chat".to_owned(),
            rule_id: rule_id.to_owned(),
            enabled: Some(enabled),
            ..proto::UpdateCallbackRuleRequest::default()
        };
        self.callback_rules().update_callback_rule(request).await.expect("the rule changes");
    }

    /// Comes back when no event is waiting any more.
    pub async fn until_all_is_settled(&self) {
        until("an empty outbox", || async { (self.waiting().await == 0).then_some(()) }).await;
    }

    /// Comes back when the events that wait were tried so often, all together.
    pub async fn until_attempted(&self, times: i64) {
        until("the next try to be noted", || async {
            let tries = sqlx::query_scalar(
                "select coalesce(sum(attempts - earlier_attempts), 0) from outbox",
            );
            let tries: i64 = tries.fetch_one(self.pool()).await.expect("the outbox can be read");
            (tries >= times).then_some(())
        })
        .await;
    }

    /// How many events wait in the outbox.
    pub async fn waiting(&self) -> i64 {
        let count = sqlx::query_scalar("select count(*) from outbox").fetch_one(self.pool()).await;
        count.expect("the outbox can be read")
    }
}

/// Starts the binary with these arguments; what it prints can be read.
pub fn process(arguments: &[&str]) -> std::process::Child {
    let mut command = binary::command(arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts")
}
