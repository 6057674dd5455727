//! Several instances on one database: they share the partitions of the outbox, hand them over, and take
//! over those of instances that died.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use befriend::{
    clock::Clock,
    delivery::{Dispatcher, WebhookClient},
    ops::Core,
    server,
};
use sqlx::PgPool;
use tokio::{sync::Semaphore, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::support::{
    Tenant, TestApp,
    app::settings,
    binary, postgres,
    receiver::{Answer, Callback, Receiver, process, rule_to, status, until},
    tenant::strings,
};

/// A short lease, so that partitions of instances that died are soon free.
const LEASE: Duration = Duration::from_secs(2);
const FLAGS: &[&str] = &["--callback-lease", "2s", "--callback-poll", "20ms"];

/// An instance that delivers and serves no calls.
struct Instance {
    stop: CancellationToken,
    dispatcher: JoinHandle<()>,
    _core: Arc<Core>,
}

impl Instance {
    fn start(app: &TestApp) -> Self {
        let args = settings(FLAGS);
        let core = server::core(&app.database_url, &args, None, Clock::system()).expect("a core");
        let client = Arc::new(WebhookClient::new(args.callbacks.webhook(true)));
        let (db, clock) = (core.db.clone(), core.clock.clone());
        let signals = Arc::clone(&core.outbox_signals);
        let work = Arc::clone(&core.background_work);
        let settings = args.callbacks.dispatcher();
        let dispatcher =
            Dispatcher::new(db, clock, signals, work, client, Arc::default(), settings);
        let stop = CancellationToken::new();
        Self { dispatcher: tokio::spawn(dispatcher.run(stop.clone())), stop, _core: core }
    }

    /// Stops it as a signal does.
    async fn stop(self) {
        self.stop.cancel();
        self.dispatcher.await.expect("it stops");
    }

    /// Ends it as a crash does: it settles nothing and releases nothing.
    async fn kill(self) {
        self.dispatcher.abort();
        assert!(self.dispatcher.await.expect_err("it is cut off").is_cancelled());
    }
}

/// How many partitions each instance holds, the smallest number first.
async fn shares(pool: &PgPool) -> Vec<i64> {
    sqlx::query_scalar(
        "select count(*) from outbox_leases where until > now() group by holder order by 1",
    )
    .fetch_all(pool)
    .await
    .expect("the leases can be read")
}

async fn until_shared(app: &TestApp, expected: &[i64]) {
    until("the partitions to be shared", || async {
        (shares(app.pool()).await == expected).then_some(())
    })
    .await;
}

/// A server that does not deliver, with users in many partitions.
async fn writing() -> (TestApp, Tenant, Receiver, Vec<String>) {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let owners = tenant.crowd("owner", 40).await;
    tenant.create(&["friend"]).await;
    let receiver = Receiver::start().await;
    app.rule(rule_to(&receiver.url)).await;
    for owner in &owners {
        tenant.befriend(owner, "friend").await.expect("friends");
    }
    (app, tenant, receiver, owners)
}

/// Sets the remarks "1", "2", … for all owners in the background until `end`. Returns the last remark.
fn write_on(tenant: &Tenant, owners: &[String], end: &CancellationToken) -> JoinHandle<i64> {
    let (tenant, owners, end) = (tenant.clone(), owners.to_vec(), end.clone());
    tokio::spawn(async move {
        for number in 1.. {
            if end.is_cancelled() {
                return number - 1;
            }
            for owner in &owners {
                tenant.remark(owner, "friend", &number.to_string()).await.expect("a remark");
            }
        }
        unreachable!("it runs until it is cancelled")
    })
}

/// Checks that the events of every owner arrived once each and in order: the new friend, and the remarks
/// up to `last`.
#[track_caller]
fn expect_all(callbacks: &[Callback], owners: &[String], last: i64) {
    let mut arrived: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for callback in callbacks {
        let remark = callback.json()["data"]["remark"].as_str().unwrap_or("added").to_owned();
        arrived.entry(callback.owner()).or_default().push(remark);
    }
    let expected: Vec<String> =
        ["added".to_owned()].into_iter().chain((1..=last).map(|n| n.to_string())).collect();
    for owner in owners {
        assert_eq!(arrived[owner], expected, "{owner}");
    }
    assert_eq!(arrived.len(), owners.len());
}

#[tokio::test]
async fn instances_that_come_and_go_deliver_everything_once_and_in_order() {
    let (app, tenant, mut receiver, owners) = writing().await;
    let end = CancellationToken::new();
    let first = Instance::start(&app);
    until_shared(&app, &[256]).await;
    let writer = write_on(&tenant, &owners, &end);
    let mut came = receiver.take(200).await;

    let second = Instance::start(&app);
    until_shared(&app, &[128, 128]).await;
    let (third, fourth) = (Instance::start(&app), Instance::start(&app));
    until_shared(&app, &[64; 4]).await;
    came.extend(receiver.take(200).await);
    first.stop().await;
    until_shared(&app, &[84, 86, 86]).await;
    came.extend(receiver.take(200).await);
    third.stop().await;
    fourth.stop().await;
    until_shared(&app, &[256]).await;

    end.cancel();
    let last = writer.await.unwrap();
    app.until_all_is_settled().await;
    second.stop().await;
    came.extend(receiver.rest());
    expect_all(&came, &owners, last);
    let dispatchers: i64 =
        sqlx::query_scalar("select count(*) from dispatchers").fetch_one(app.pool()).await.unwrap();
    assert_eq!((dispatchers, shares(app.pool()).await), (0, vec![]), "all was given back");
}

#[tokio::test]
async fn the_partitions_of_a_killed_instance_go_to_the_others_in_time() {
    let (app, tenant, mut receiver, owners) = writing().await;
    let killed = Instance::start(&app);
    let survivor = Instance::start(&app);
    until_shared(&app, &[128, 128]).await;
    let mut came = receiver.take(owners.len()).await;
    app.until_all_is_settled().await;
    killed.kill().await;
    let since = Instant::now();
    for owner in &owners {
        tenant.remark(owner, "friend", "1").await.unwrap();
    }
    came.extend(receiver.take(owners.len()).await);
    let waited = since.elapsed();
    // The lease, the survivor's next renewal and its next poll; and time for a busy machine.
    assert!(waited < LEASE + LEASE / 3 + Duration::from_secs(5), "{waited:?}");
    app.until_all_is_settled().await;
    until_shared(&app, &[256]).await;
    survivor.stop().await;
    came.extend(receiver.rest());
    expect_all(&came, &owners, 1);
}

#[tokio::test]
async fn events_that_a_killed_process_was_sending_are_sent_again_by_the_others() {
    let (app, tenant, mut receiver, owners) = writing().await;
    let survivor = Instance::start(&app);
    receiver.take(owners.len()).await;
    app.until_all_is_settled().await;
    let mut killed = process(
        &[
            ["--database-url", &app.database_url, "--listen", "127.0.0.1:0"],
            ["--callback-allow-private", "true", "--callback-lease", "2s"],
        ]
        .concat(),
    );
    until_shared(&app, &[128, 128]).await;

    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    receiver.answer(move |_| Answer::After(Arc::clone(&held), 200));
    for owner in &owners {
        tenant.remark(owner, "friend", "1").await.unwrap();
    }
    let asked = receiver.take(owners.len()).await;
    killed.kill().unwrap();
    killed.wait().unwrap();
    let since = Instant::now();
    gate.add_permits(1000);
    app.until_all_is_settled().await;
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    let again = receiver.rest();
    let ids = |callbacks: &[Callback]| -> HashSet<String> {
        callbacks.iter().map(|callback| callback.id().to_owned()).collect()
    };
    assert_eq!(ids(&asked).len(), owners.len());
    assert!(!again.is_empty() && ids(&again).is_subset(&ids(&asked)), "with the same ids");
    assert!(again.len() < owners.len(), "and only the events of the killed process");
    survivor.stop().await;
}

#[tokio::test]
async fn a_stopping_instance_keeps_partitions_with_attempts_under_way_and_releases_the_rest_at_once()
 {
    let (app, tenant, mut receiver, owners) = writing().await;
    let stopping = Instance::start(&app);
    receiver.take(owners.len()).await;
    app.until_all_is_settled().await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    receiver.answer(move |_| Answer::After(Arc::clone(&held), 200));
    tenant.remark(&owners[0], "friend", "1").await.unwrap();
    receiver.next().await;

    let other = Instance::start(&app);
    stopping.stop.cancel();
    until_shared(&app, &[1, 255]).await;
    // The stopping instance keeps its last partition for longer than a lease.
    let until_of_last = "select min(until) from (
        select max(until) as until from outbox_leases where until > now() group by holder
        having count(*) = 1) one";
    let lease_end = || async {
        let end = sqlx::query_scalar::<_, Option<time::OffsetDateTime>>(until_of_last);
        end.fetch_one(app.pool()).await.unwrap()
    };
    let first = lease_end().await.expect("it holds one partition");
    until("several renewals", || async {
        let end = lease_end().await.expect("it goes on holding it");
        (end > first + LEASE).then_some(())
    })
    .await;
    gate.add_permits(1);
    stopping.dispatcher.await.unwrap();
    until_shared(&app, &[256]).await;
    assert_eq!(app.waiting().await, 0, "the stopping instance settled it");
    tenant.remark(&owners[0], "friend", "2").await.unwrap();
    gate.add_permits(1);
    assert_eq!(receiver.next().await.json()["data"]["remark"], "2");
    assert!(receiver.rest().is_empty());
    other.stop().await;
}

#[tokio::test]
async fn an_attempt_under_a_lost_lease_settles_nothing_even_if_the_partition_was_won_back() {
    let (app, tenant, mut receiver, owners) = writing().await;
    let instance = Instance::start(&app);
    receiver.take(owners.len()).await;
    app.until_all_is_settled().await;
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    receiver.answer(move |_| Answer::After(Arc::clone(&held), 200));
    tenant.remark(&owners[0], "friend", "1").await.unwrap();
    tenant.remark(&owners[0], "friend", "2").await.unwrap();
    let first = receiver.next().await;

    // As if another instance had held the partition for a moment.
    let lost = "update outbox_leases set fencing_token = fencing_token + 1
                where partition = (select partition from outbox limit 1) returning until";
    let before: time::OffsetDateTime =
        sqlx::query_scalar(lost).fetch_one(app.pool()).await.unwrap();
    until("the next renewal", || async {
        let renewed = "select until > $1 from outbox_leases
                       where partition = (select partition from outbox limit 1)";
        let renewed: bool =
            sqlx::query_scalar(renewed).bind(before).fetch_one(app.pool()).await.unwrap();
        renewed.then_some(())
    })
    .await;
    gate.add_permits(3);
    let again = receiver.take(2).await;
    assert_eq!(again[0].id(), first.id(), "the receiver may not have got it");
    assert_eq!(again[1].json()["data"]["remark"], "2", "and the next one comes after it");
    app.until_all_is_settled().await;
    assert!(receiver.rest().is_empty());
    instance.stop().await;
}

#[tokio::test]
async fn a_receiver_that_asks_for_a_pause_is_left_alone_by_every_instance() {
    let app = TestApp::with(&["--deliver", "false"], Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let owners = tenant.crowd("owner", 40).await;
    let mut receiver = Receiver::start().await;
    receiver.answer(|_| Answer::With(429, &[("retry-after", "600")], ""));
    app.rule(rule_to(&receiver.url)).await;
    tenant.befriend(&owners[0], &owners[1]).await.unwrap();
    let first = Instance::start(&app);
    receiver.next().await;
    app.until_attempted(1).await;
    first.stop().await;

    // Another rule shows that the second instance delivers.
    receiver.answer(|_| status(200));
    app.rule(rule_to(&receiver.url.replace("callbacks", "b"))).await;
    for owner in &owners[2..] {
        tenant.befriend(owner, &owners[1]).await.unwrap();
    }
    let second = Instance::start(&app);
    let came = receiver.take(38).await;
    assert!(came.iter().all(|callback| callback.path == "/b"));
    second.stop().await;
    assert!(receiver.rest().is_empty());
}

#[tokio::test]
async fn instances_that_differ_in_where_callbacks_may_go_say_so() {
    let url = postgres::fresh_database().await;
    let flags = ["--database-url", &url, "--callback-lease", "2s", "--callback-allow-private"];
    let mut one = binary::Service::start(&[&flags[..], &["true"]].concat()).await;
    let mut other = binary::Service::start(&[&flags[..], &["false"]].concat()).await;
    let differ =
        "instances differ in --callback-allow-private: some callbacks to private addresses fail";
    assert_eq!(one.logs(differ).await["this_instance"], true);
    assert_eq!(other.logs(differ).await["this_instance"], false);
    assert!(other.stop().await);
    one.logs("all instances agree in --callback-allow-private").await;
}

#[tokio::test]
async fn two_whole_servers_deliver_what_either_of_them_wrote() {
    let app = TestApp::with(FLAGS, Clock::system()).await;
    let other = TestApp::on(&app.database_url, FLAGS, Clock::system()).await;
    let tenant = app.tenant("acme#chat").await;
    let owners = tenant.crowd("owner", 40).await;
    let mut receiver = Receiver::start().await;
    app.rule(rule_to(&receiver.url)).await;
    until_shared(&app, &[128, 128]).await;
    let there = Tenant { channel: other.channel.clone(), ..tenant.clone() };
    let names: Vec<&str> = owners.iter().map(String::as_str).collect();
    for (number, owner) in names.iter().enumerate().skip(1) {
        let writer = if number % 2 == 0 { &tenant } else { &there };
        writer.block(owner, &names[..number.min(3)]).await.unwrap();
    }
    let expected: usize = (0..names.len()).map(|number| number.min(3)).sum();
    let came = receiver.take(expected).await;
    let owners: HashSet<String> = came.iter().map(Callback::owner).collect();
    assert_eq!(owners, strings(&names[1..]).into_iter().collect());
    app.until_all_is_settled().await;
    assert!(receiver.rest().is_empty());
}
