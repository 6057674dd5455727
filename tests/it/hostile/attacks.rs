//! Attacks as large as one machine can make them, against the binary with a private Postgres: beside each of
//! them a well-behaved caller is served, and the process stays small. `make test-hostile` runs them.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use befriend::proto;
use futures_util::future::{BoxFuture, join_all};
use prost::{Message as _, bytes::Bytes};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, runtime};

use super::{
    answers::Deaf,
    connections::{PREFACE, frame, sends},
};
use crate::support::{
    Tenant,
    process::{Folder, Service},
    wire::frame as message_frame,
};

/// How long each attack lasts.
const ATTACK: Duration = Duration::from_secs(15);

/// The most memory that the process may have, in MB.
const MOST_MEMORY: u64 = 256;

/// How long after an attack the memory is measured again. It is reported, not judged: how soon free pages
/// go back to the system is up to the allocator.
const PAUSE: Duration = Duration::from_secs(10);

/// Quiet values below this are noise, of which five times are noise too.
const NOISE: Duration = Duration::from_millis(2);

/// An attack on the server at a URL, with the token of an app of its own. It goes on until it is dropped.
type Attack = fn(url: String, token: String) -> BoxFuture<'static, ()>;

const ATTACKS: [(&str, Attack); 11] = [
    ("unread SyncFriends", |url, token| Box::pin(unread_pages(url, token))),
    ("unread reflection", |url, _| Box::pin(unread_reflection(url))),
    ("unread Health.Watch", |url, _| Box::pin(unread_health(url))),
    ("2,000 silent connections", |url, _| Box::pin(open(url, Vec::new(), 2_000))),
    ("2,000 half prefaces", |url, _| Box::pin(open(url, PREFACE[..10].to_vec(), 2_000))),
    ("2,000 half heads of 60 KB", |url, _| Box::pin(open(url, half_a_head(), 2_000))),
    ("half messages of 1 MB", |url, token| Box::pin(half_messages(url, token))),
    ("half logins of 1 MB", |url, _| Box::pin(half_messages(url, String::new()))),
    ("PRIORITY floods", |url, _| Box::pin(flood(url, frame(2, 1, &[0, 0, 0, 0, 7])))),
    ("PING floods", |url, _| Box::pin(flood(url, frame(6, 0, &[0; 8])))),
    ("rapid reset", |url, token| Box::pin(rapid_reset(url, token))),
];

fn half_a_head() -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nhost: x\r\nx-slow: {}", "x".repeat(60_000)).into_bytes()
}

/// Asks for pages of 500 as often as the app's rate allows, on some connections, and reads none.
async fn unread_pages(url: String, token: String) {
    let message = proto::SyncFriendsRequest {
        owner: "popular".to_owned(),
        page_size: 500,
        ..Default::default()
    };
    let path = "/befriend.v1.FriendService/SyncFriends";
    let message = message.encode_to_vec();
    let callers = (0..8).map(|_| ask_for_ever(&url, path, &token, &message));
    join_all(callers).await;
}

async fn unread_reflection(url: String) {
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_request::MessageRequest::FileContainingSymbol,
    };
    let symbol = "befriend.v1.FriendService".to_owned();
    let message_request = Some(FileContainingSymbol(symbol));
    let message = ServerReflectionRequest { host: String::new(), message_request }.encode_to_vec();
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    join_all((0..50).map(|_| ask_for_ever(&url, path, "", &message))).await;
}

async fn unread_health(url: String) {
    let path = "/grpc.health.v1.Health/Watch";
    join_all((0..50).map(|_| ask_for_ever(&url, path, "", &[]))).await;
}

/// Asks without reading, on a new connection when the server has closed the last one.
async fn ask_for_ever(url: &str, path: &str, token: &str, message: &[u8]) {
    loop {
        let caller = Deaf::connect(url).await;
        let mut held = Vec::new();
        while let Ok(answer) = caller.ask(path, token, message).await {
            held.push(answer);
        }
    }
}

/// Holds so many connections that have sent these bytes, and opens another for each that is closed.
async fn open(url: String, bytes: Vec<u8>, count: usize) {
    let (url, bytes) = (&url, &bytes);
    let hold = |_| async move {
        loop {
            let tcp = sends(url, bytes).await;
            let _ = tcp.readable().await;
        }
    };
    join_all((0..count).map(hold)).await;
}

/// Begins as many large requests as the server takes, on some connections, and ends none of them. Without a
/// token they are logins.
async fn half_messages(url: String, token: String) {
    let login = token.is_empty();
    let path = if login { "TokenService/IssueToken" } else { "UserService/GetUser" };
    let path = &format!("/befriend.v1.{path}");
    let (url, token) = (&url, &token);
    let half = message_frame(&[0; 1_000_000])[..900_000].to_vec();
    let half = &Bytes::from(half);
    let attack = |_| async move {
        loop {
            let caller = Deaf::connect(url).await;
            let begin = || async {
                let (response, mut stream) = caller.begin(path, token).await.ok()?;
                stream.send_data(half.clone(), false).ok()?;
                response.await.ok()
            };
            join_all((0..200).map(|_| begin())).await;
        }
    };
    join_all((0..16).map(attack)).await;
}

async fn flood(url: String, frame: Vec<u8>) {
    let (url, frames) = (&url, &frame.repeat(200));
    let attack = |_| async move {
        loop {
            let mut tcp: TcpStream = sends(url, PREFACE).await;
            while tcp.write_all(frames).await.is_ok() {
                tokio::task::yield_now().await;
            }
        }
    };
    join_all((0..4).map(attack)).await;
}

async fn rapid_reset(url: String, token: String) {
    loop {
        let caller = Deaf::connect(&url).await;
        // What is dropped at once is reset at once.
        let ask = || caller.ask("/befriend.v1.UserService/GetUser", &token, &[]);
        while futures_util::FutureExt::now_or_never(ask()).is_none_or(|asked| asked.is_ok()) {
            tokio::task::yield_now().await;
            if caller.is_closed() {
                break;
            }
        }
    }
}

/// The attackers: one thread, with the lowest priority. They stand for callers on other machines, which do
/// not take the processor from the service or from the caller that is measured.
fn attackers() -> runtime::Runtime {
    let lowest_priority = || {
        let thread = fs::read_link("/proc/thread-self").unwrap();
        let thread = thread.file_name().unwrap();
        let reniced = Command::new("renice").args(["-n", "19", "-p"]).arg(thread).output().unwrap();
        assert!(reniced.status.success(), "{reniced:?}");
    };
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(1).on_thread_start(lowest_priority).enable_all().build().unwrap()
}

/// The memory of a process, in MB.
fn memory(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Calls one after the other for a time. Returns the time that 99 of 100 took at most, how many failed, and
/// the most memory of the process meanwhile.
async fn calls(tenant: &Tenant, pid: i32, time: Duration) -> (Duration, usize, u64) {
    let (mut took, mut failed, mut most) = (Vec::new(), 0, 0);
    let begun = Instant::now();
    while begun.elapsed() < time {
        let call = Instant::now();
        failed += usize::from(tenant.friends_of("alice").await.is_err());
        took.push(call.elapsed());
        if took.len() % 20 == 0 {
            most = most.max(memory(pid));
        }
    }
    took.sort();
    (took[took.len() * 99 / 100], failed, most)
}

/// An app whose user has many friends with long remarks.
async fn popular(service: &Service) -> Tenant {
    let tenant = service.tenant("hostile#app").await;
    let names: Vec<String> = (0..500).map(|number| format!("friend-{number}")).collect();
    let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
    all.push("popular");
    tenant.create(&all).await;
    for name in &names {
        tenant.befriend("popular", name).await.unwrap();
        tenant.remark("popular", name, &"备注".repeat(50)).await.unwrap();
    }
    tenant
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "minutes: `make test-hostile` runs it"]
async fn beside_each_attack_callers_are_served_and_memory_is_bounded() {
    befriend::server::descriptors::raise();
    let folder = Folder::new();
    let service = Service::start(&folder.data());
    let pid = service.pid();
    let tenant = service.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let hostile = popular(&service).await;
    let url = format!("http://{}", service.address());
    calls(&tenant, pid, Duration::from_secs(2)).await;
    let (quiet, failed, rest) = calls(&tenant, pid, Duration::from_secs(5)).await;
    assert_eq!(failed, 0);
    println!("quiet: p99 {quiet:?}, {rest} MB");
    let mut broken = Vec::new();
    for (name, attack) in ATTACKS {
        let attackers = attackers();
        attackers.spawn(attack(url.clone(), hostile.token.clone()));
        let (p99, failed, most) = calls(&tenant, pid, ATTACK).await;
        attackers.shutdown_background();
        // Without the attack.
        calls(&tenant, pid, PAUSE).await;
        let left = memory(pid);
        println!("{name}: p99 {p99:?}, {failed} failed, {most} MB, {left} MB {PAUSE:?} later");
        if p99 > quiet.max(NOISE) * 5 || failed > 0 || most.max(left) > MOST_MEMORY {
            broken.push(name);
        }
    }
    assert!(broken.is_empty(), "not withstood: {broken:?}");
    service.stop().await;
}
