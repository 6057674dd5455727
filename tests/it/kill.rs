//! The service and its Postgres are killed again and again under writes at full speed: no event of an
//! acknowledged change is lost, and no callback reports a change that did not happen.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use befriend::proto::{self, callback_rule_service_client::CallbackRuleServiceClient};
use nix::sys::signal::Signal;
use tokio::{sync::watch, task::JoinHandle};
use tonic::transport::Channel;

use crate::support::{
    Tenant,
    app::{Bearer, OPERATOR_TOKEN, tenant_on},
    process::{self, Folder, Service},
    receiver::{Callback, Receiver, rule_to},
};

/// How often the service is killed. One time its Postgres is killed too, and one time before, alone.
const KILLS: usize = 10;
const POSTGRES_TOO: usize = 3;
const POSTGRES_BEFORE: usize = 7;

/// The owners, each with a task that writes to its lists, and how many friends each can make.
const OWNERS: usize = 16;
const FRIENDS: usize = 400;

/// Starts the service with a Postgres of its own, and waits until it listens.
async fn start(folder: &Folder) -> Service {
    let mut command = process::serve(&folder.data());
    command.args(["--operator-token", OPERATOR_TOKEN, "--callback-lease", "1s"]);
    let started = tokio::task::spawn_blocking(|| {
        let service = Service::spawn(command);
        service.address();
        service
    });
    started.await.expect("it listens")
}

/// An app with a rule to the receiver.
async fn tenant(service: &Service, receiver: &Receiver) -> Tenant {
    let limits =
        proto::AppLimits { requests_per_second: Some(1_000_000), ..proto::AppLimits::default() };
    let tenant = tenant_on(service.channel(), OPERATOR_TOKEN, "acme#chat", limits).await;
    let operator = Bearer::new(OPERATOR_TOKEN);
    let mut rules = CallbackRuleServiceClient::with_interceptor(service.channel(), operator);
    rules.create_callback_rule(rule_to(&receiver.url)).await.expect("a rule");
    tenant
}

/// The content of a callback, as "friend" or "friend: remark".
fn told(callback: &Callback) -> String {
    let data = &callback.json()["data"];
    let friend = data["friend"].as_str().unwrap();
    data["remark"].as_str().map_or(friend.to_owned(), |remark| format!("{friend}: {remark}"))
}

/// Adds friends and sets a remark on each, one after the other. Repeats each call until it is
/// acknowledged. Returns the acknowledged changes in order.
fn write(
    tenant: Tenant,
    owner: String,
    mut channels: watch::Receiver<Channel>,
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
                    // A new service is running already, or will be soon.
                    let moment = Duration::from_millis(20);
                    let _ = tokio::time::timeout(moment, channels.changed()).await;
                    tenant.channel = channels.borrow_and_update().clone();
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

/// Kills the service and starts it again, several times: each time a random number of changes after the
/// first acknowledged one, or as soon as the service listens.
async fn kill_it_all_the_time(
    folder: &Folder,
    mut service: Service,
    channels: &watch::Sender<Channel>,
    mut done: watch::Receiver<usize>,
) -> Service {
    for number in 0..KILLS {
        let random = usize::from(u8::try_from(getrandom::u32().unwrap() & 0xff).unwrap());
        if random >= 32 || number == POSTGRES_BEFORE {
            let enough = *done.borrow_and_update() + random;
            if number == POSTGRES_BEFORE {
                process::signal(folder.postmaster(), Signal::SIGKILL);
            }
            done.wait_for(|count| *count >= enough).await.expect("somebody writes");
        }
        if number == POSTGRES_TOO {
            process::signal(folder.postmaster(), Signal::SIGKILL);
        }
        service.kill();
        service = start(folder).await;
        channels.send_replace(service.channel());
    }
    service
}

#[tokio::test]
async fn no_acknowledged_event_is_lost_and_none_is_made_up_whatever_is_killed() {
    let folder = Folder::new();
    let service = start(&folder).await;
    let mut receiver = Receiver::start().await;
    let tenant = tenant(&service, &receiver).await;
    let owners: Vec<String> = (0..OWNERS).map(|number| format!("owner{number:02}")).collect();
    let friends: Vec<String> = (0..FRIENDS).map(|number| format!("friend{number:03}")).collect();
    tenant.create(&owners.iter().chain(&friends).map(String::as_str).collect::<Vec<_>>()).await;

    let (channels, channel) = watch::channel(service.channel());
    let (done, progress) = watch::channel(0);
    let (end, ended) = watch::channel(false);
    let writers: Vec<_> = owners
        .iter()
        .map(|owner| {
            let (channel, done, ended) = (channel.clone(), done.clone(), ended.clone());
            write(tenant.clone(), owner.clone(), channel, done, ended)
        })
        .collect();
    let service = kill_it_all_the_time(&folder, service, &channels, progress).await;
    end.send_replace(true);
    let mut acknowledged = BTreeMap::new();
    for (owner, writer) in owners.iter().zip(writers) {
        acknowledged.insert(owner.clone(), writer.await.unwrap());
    }

    // By owner, the first delivery of each callback, in the order of arrival.
    let expected: usize = acknowledged.values().map(Vec::len).sum();
    let mut ids = HashSet::new();
    let mut came: BTreeMap<String, Vec<Callback>> = BTreeMap::new();
    while ids.len() < expected {
        let callback = receiver.next().await;
        if ids.insert(callback.id().to_owned()) {
            came.entry(callback.owner()).or_default().push(callback);
        }
    }
    let tenant = Tenant { channel: service.channel(), ..tenant };
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
