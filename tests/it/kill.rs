//! The service and its Postgres are killed again and again while it is written to at full speed: no
//! event of an acknowledged change is lost, and none is told of a change that did not happen.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use befriend::proto::{
    self, app_service_client::AppServiceClient, token_service_client::TokenServiceClient,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};
use tonic::transport::{Channel, Endpoint};

use crate::support::{
    Tenant,
    app::{Bearer, OPERATOR_TOKEN},
    receiver::{Callback, Receiver, rule_to},
};

/// How often the service is killed; at the third and the seventh time its Postgres goes with it.
const KILLS: usize = 10;
const WITH_POSTGRES: [usize; 2] = [3, 7];

/// Owners, each written to by a task of its own, and how many friends each can make.
const OWNERS: usize = 16;
const FRIENDS: usize = 400;

/// A service with a Postgres of its own in this folder.
struct Service {
    child: Child,
    url: String,
}

impl Service {
    /// Starts it and waits until it listens.
    async fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_befriend"))
            .args(["--listen", "127.0.0.1:0", "--operator-token", OPERATOR_TOKEN])
            .args(["--callback-lease", "1s", "--log-format", "json", "--data-dir"])
            .arg(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut log = BufReader::new(child.stderr.take().expect("it logs")).lines();
        let (sender, url) = tokio::sync::oneshot::channel();
        // Reads on, so that the log never fills its pipe.
        std::thread::spawn(move || {
            let mut sender = Some(sender);
            let mut said = String::new();
            while let Some(Ok(line)) = log.next() {
                let json: Value = serde_json::from_str(&line).unwrap_or_default();
                if json["message"] == "listening"
                    && let Some(sender) = sender.take()
                {
                    let _ = sender.send(format!("http://{}", json["address"].as_str().unwrap()));
                }
                if sender.is_some() {
                    said += &line;
                }
            }
            assert!(sender.is_none(), "it ended before it listened: {said}");
        });
        Self { child, url: url.await.expect("it listens") }
    }

    fn kill(&mut self) {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it is dead");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Kills the postmaster of this folder.
fn kill_postgres(folder: &Path) {
    let cluster = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let pid_file: PathBuf =
        cluster.map(|path| path.join("postmaster.pid")).find(|path| path.exists()).unwrap();
    let pid = fs::read_to_string(pid_file).unwrap().lines().next().unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).expect("it runs");
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = PathBuf::from(format!("/var/tmp/befriend-kill-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn channel(url: &str) -> Channel {
    Endpoint::from_shared(url.to_owned()).unwrap().connect_lazy()
}

/// An app with a rule to the receiver.
async fn tenant(url: &str, receiver: &Receiver) -> Tenant {
    let mut apps = AppServiceClient::with_interceptor(channel(url), Bearer::new(OPERATOR_TOKEN));
    let limits = proto::AppLimitsChange {
        requests_per_second: Some(1_000_000),
        ..proto::AppLimitsChange::default()
    };
    let create = proto::CreateAppRequest { app_key: "acme#chat".to_owned(), limits: Some(limits) };
    let created = apps.create_app(create).await.unwrap().into_inner();
    apps.create_callback_rule(rule_to(&receiver.url)).await.unwrap();
    let app = created.app.unwrap();
    let login = proto::IssueTokenRequest {
        client_id: app.client_id.clone(),
        client_secret: created.client_secret.clone(),
        ttl: None,
    };
    let mut logins = TokenServiceClient::new(channel(url));
    let token = logins.issue_token(login).await.unwrap().into_inner().access_token;
    Tenant { channel: channel(url), app, client_secret: created.client_secret, token }
}

/// What a callback tells, as "friend" or "friend: remark".
fn told(callback: &Callback) -> String {
    let data = &callback.json()["data"];
    let friend = data["friend"].as_str().unwrap();
    data["remark"].as_str().map_or(friend.to_owned(), |remark| format!("{friend}: {remark}"))
}

/// Adds friends and sets a remark on each, one after the other, repeating what is not acknowledged
/// until it is. Comes back with what was acknowledged, in order.
fn write(
    tenant: Tenant,
    owner: String,
    mut urls: watch::Receiver<String>,
    done: watch::Sender<usize>,
    end: watch::Receiver<bool>,
) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        let mut tenant = tenant;
        for number in 0..FRIENDS {
            let friend = format!("friend{number:03}");
            for remark in [None, Some(format!("number {number}"))] {
                loop {
                    let answer = match &remark {
                        None => tenant.befriend(&owner, &friend).await.map(drop),
                        Some(remark) => tenant.remark(&owner, &friend, remark).await.map(drop),
                    };
                    if answer.is_ok() {
                        break;
                    }
                    // There may be a new one already, or there will be soon.
                    let _ = tokio::time::timeout(Duration::from_millis(20), urls.changed()).await;
                    tenant.channel = channel(&urls.borrow_and_update());
                }
                acknowledged.push(match remark {
                    None => friend.clone(),
                    Some(remark) => format!("{friend}: {remark}"),
                });
                done.send_modify(|count| *count += 1);
            }
            if *end.borrow() {
                break;
            }
        }
        acknowledged
    })
}

/// Kills the service and starts it anew, again and again; each time a random number of changes after
/// the one that showed that it worked, or as soon as it listens.
async fn kill_it_all_the_time(
    folder: &Path,
    mut service: Service,
    urls: &watch::Sender<String>,
    mut done: watch::Receiver<usize>,
) -> Service {
    for number in 0..KILLS {
        let random = usize::from(u8::try_from(getrandom::u32().unwrap() & 0xff).unwrap());
        if random >= 32 {
            let enough = *done.borrow_and_update() + random;
            done.wait_for(|count| *count >= enough).await.expect("somebody writes");
        }
        if WITH_POSTGRES.contains(&number) {
            kill_postgres(folder);
        }
        service.kill();
        service = Service::start(folder).await;
        urls.send_replace(service.url.clone());
    }
    service
}

#[tokio::test]
async fn no_acknowledged_event_is_lost_and_none_is_made_up_whatever_is_killed() {
    let folder = Folder::new();
    let service = Service::start(&folder.0).await;
    let mut receiver = Receiver::start().await;
    let tenant = tenant(&service.url, &receiver).await;
    let owners: Vec<String> = (0..OWNERS).map(|number| format!("owner{number:02}")).collect();
    let friends: Vec<String> = (0..FRIENDS).map(|number| format!("friend{number:03}")).collect();
    tenant.create(&owners.iter().chain(&friends).map(String::as_str).collect::<Vec<_>>()).await;

    let (urls, url) = watch::channel(service.url.clone());
    let (done, progress) = watch::channel(0);
    let (end, ended) = watch::channel(false);
    let writers: Vec<_> = owners
        .iter()
        .map(|owner| {
            let (url, done, ended) = (url.clone(), done.clone(), ended.clone());
            write(tenant.clone(), owner.clone(), url, done, ended)
        })
        .collect();
    let mut service = kill_it_all_the_time(&folder.0, service, &urls, progress).await;
    end.send_replace(true);
    let mut acknowledged = BTreeMap::new();
    for (owner, writer) in owners.iter().zip(writers) {
        acknowledged.insert(owner.clone(), writer.await.unwrap());
    }

    // By owner, what came for the first time, in the order in which it came.
    let expected: usize = acknowledged.values().map(Vec::len).sum();
    let mut ids = HashSet::new();
    let mut came: BTreeMap<String, Vec<Callback>> = BTreeMap::new();
    while ids.len() < expected {
        let callback = receiver.next().await;
        if ids.insert(callback.id().to_owned()) {
            came.entry(callback.owner()).or_default().push(callback);
        }
    }
    let tenant = Tenant { channel: channel(&service.url), ..tenant };
    for (owner, callbacks) in &came {
        let told: Vec<String> = callbacks.iter().map(told).collect();
        assert_eq!(told, acknowledged[owner], "{owner}");
        let versions: Vec<i64> = callbacks.iter().map(Callback::version).collect();
        let head = tenant.head(owner).await.unwrap();
        assert_eq!(versions, (1..=head.version).collect::<Vec<i64>>(), "{owner}");
        let friends = callbacks.iter().filter(|callback| callback.json()["type"] == "friend.added");
        let friends: Vec<String> = friends.map(told_friend).collect();
        assert_eq!(friends, tenant.friends_of(owner).await.unwrap(), "{owner}");
    }
    assert_eq!(came.len(), OWNERS);
    assert!(expected > 500, "only {expected} changes: that was not at full speed");
    service.kill();
    for late in receiver.rest() {
        assert!(ids.contains(late.id()), "made up: {late:?}");
    }
}

fn told_friend(callback: &Callback) -> String {
    callback.json()["data"]["friend"].as_str().unwrap().to_owned()
}
