//! The private Postgres of the default run, with real processes: they start it, share it, and it never
//! outlives the last of them.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, chown},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use befriend::private_postgres::{Life, PrivatePostgres, Settings};
use nix::{
    sys::signal::Signal,
    unistd::{User, geteuid},
};

use crate::support::process::{BINARY, Folder, Service, eventually, is_alive, serve, signal};

/// Settings for starts in this process.
fn settings(data: &Path) -> Settings {
    Settings {
        data_dir: data.to_owned(),
        start_timeout: Duration::from_secs(60),
        fsync: false,
        max_connections: 20,
        life: Life::Kept,
    }
}

async fn start(settings: Settings) -> PrivatePostgres {
    tokio::task::spawn_blocking(move || PrivatePostgres::start(&settings)).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_a_first_run_made_is_there_in_the_second_and_nothing_runs_in_between() {
    let folder = Folder::new();
    let first = Service::start(&folder.data());
    let mut tenant = first.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    tenant.befriend("alice", "bob").await.unwrap();
    let process = fs::metadata(format!("/proc/{}", folder.postmaster())).unwrap();
    assert_ne!(process.uid(), 0, "Postgres runs as root");
    let socket = fs::metadata(folder.data().join("socket")).unwrap();
    assert_eq!(socket.mode() & 0o777, 0o700, "others can reach the database");
    let postmaster = folder.postmaster();
    first.stop().await;
    assert!(!is_alive(postmaster), "the service left before its Postgres did");
    folder.is_left_alone().await;

    let second = Service::start(&folder.data());
    tenant.channel = second.channel();
    assert_eq!(tenant.friends_of("alice").await.unwrap(), ["bob"]);
    second.stop().await;
    folder.is_left_alone().await;
}

#[tokio::test]
async fn a_killed_service_takes_its_postgres_along() {
    let folder = Folder::new();
    let service = Service::start(&folder.data());
    let postmaster = folder.postmaster();
    service.kill();
    folder.is_left_alone().await;
    assert!(!is_alive(postmaster));
}

#[tokio::test]
async fn services_on_one_folder_share_one_postgres_until_the_last_one_leaves() {
    let folder = Folder::new();
    let mut services: Vec<Service> =
        (0..4).map(|_| Service::spawn(serve(&folder.data()))).collect();
    for service in &services {
        service.address();
    }
    // Asserts that there is one watchdog, and so one server.
    folder.watchdog();
    let postmaster = folder.postmaster();

    let mut tenant = services[0].tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    let last = services.pop().unwrap();
    for (number, service) in services.into_iter().enumerate() {
        if number == 0 { service.kill() } else { service.stop().await }
    }
    tenant.channel = last.channel();
    tenant.head("alice").await.unwrap();
    assert!(is_alive(postmaster));
    last.stop().await;
    folder.is_left_alone().await;
}

#[tokio::test]
async fn starts_in_the_same_moment_find_one_server() {
    let folder = Folder::new();
    let starts: Vec<_> = (0..4).map(|_| tokio::spawn(start(settings(&folder.data())))).collect();
    let mut users = Vec::new();
    for start in starts {
        users.push(start.await.unwrap());
    }
    assert!(users.iter().all(|user| user.server_pid() == users[0].server_pid()));
    assert!(users.iter().all(|user| user.url() == users[0].url()));
    drop(users);
    folder.is_left_alone().await;
}

#[tokio::test]
async fn two_folders_have_two_servers() {
    let (one, two) = (Folder::new(), Folder::new());
    let (first, second) = (Service::start(&one.data()), Service::start(&two.data()));
    first.tenant("acme#chat").await.create(&["alice"]).await;
    // The second server has none of the first one's users.
    let tenant = second.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    first.kill();
    one.is_left_alone().await;
    tenant.head("alice").await.unwrap();
    second.stop().await;
}

#[tokio::test]
async fn a_postgres_whose_service_and_watchdog_were_killed_is_replaced() {
    let folder = Folder::new();
    let service = Service::start(&folder.data());
    service.tenant("acme#chat").await.create(&["alice"]).await;
    let orphan = folder.postmaster();
    signal(folder.watchdog(), Signal::SIGKILL);
    service.kill();
    assert!(is_alive(orphan), "nobody was there to stop it");
    let next = Service::start(&folder.data());
    assert!(!is_alive(orphan));
    next.stop().await;
    folder.is_left_alone().await;
}

#[tokio::test]
async fn a_service_whose_watchdog_was_killed_stops_its_postgres_itself() {
    let folder = Folder::new();
    let service = Service::start(&folder.data());
    signal(folder.watchdog(), Signal::SIGKILL);
    service.stop().await;
    folder.is_left_alone().await;
}

#[tokio::test]
async fn a_service_does_not_take_a_new_cluster_for_its_lost_data() {
    let folder = Folder::new();
    let service = Service::start(&folder.data());
    let tenant = service.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    let (cluster, away) = (folder.cluster(), folder.0.join("away"));
    let postmaster = folder.postmaster();
    fs::rename(&cluster, &away).unwrap();
    signal(postmaster, Signal::SIGKILL);
    service.logs("could not be started again");
    assert!(!cluster.exists());
    // When the cluster is back, it is served again.
    fs::rename(&away, &cluster).unwrap();
    eventually("the data's return", async || tenant.head("alice").await.is_ok()).await;
    service.stop().await;
}

#[tokio::test]
async fn ctrl_c_lets_calls_under_way_finish_before_postgres_stops() {
    let folder = Folder::new();
    let mut command = serve(&folder.data());
    // In a process group of its own, as a shell starts it: Ctrl-C reaches all processes of the group.
    command.process_group(0);
    let service = Service::spawn(command);
    let tenant = service.tenant("acme#chat").await;
    tenant.create(&["alice", "bob"]).await;
    // Another session holds a lock that the call waits for.
    let pool = folder.pool().await;
    let mut held = pool.begin().await.unwrap();
    sqlx::query("select from users for update").execute(&mut *held).await.unwrap();
    let call = tokio::spawn({
        let tenant = tenant.clone();
        async move { tenant.befriend("alice", "bob").await }
    });
    eventually("the call's wait", async || {
        let waiting = "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock'";
        sqlx::query_scalar(waiting).fetch_one(&pool).await.unwrap()
    })
    .await;
    service.signal_group(Signal::SIGINT);
    service.logs("shutting down");
    held.rollback().await.unwrap();
    pool.close().await;
    assert_eq!(call.await.unwrap().unwrap().username, "bob");
    let (status, printed) = service.end().await;
    assert!(status.success() && printed.contains("stopped"), "{status}: {printed}");
    folder.is_left_alone().await;
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_gets_a_short_folder_for_it() {
    let folder = Folder::new();
    let data = folder.0.join("a".repeat(90)).join("data");
    let postgres = start(settings(&data)).await;
    let host = postgres.url().split_once('@').unwrap().1.split_once(':').unwrap().0;
    let short = PathBuf::from(host.replace("%2F", "/"));
    assert!(short.starts_with("/tmp"), "{short:?}");
    assert_eq!(fs::metadata(&short).unwrap().mode() & 0o777, 0o700);
    let again = start(settings(&data)).await;
    assert_eq!(again.server_pid(), postgres.server_pid());
    drop(again);
    drop(postgres);
    folder.is_left_alone().await;
    fs::remove_dir_all(short).unwrap();
}

#[tokio::test]
async fn without_postgres_programs_the_message_says_what_to_install() {
    let folder = Folder::new();
    let mut command = serve(&folder.data());
    command.env("PG_BIN_DIR", &folder.0);
    let (status, printed) = Service::spawn(command).end().await;
    assert_eq!(status.code(), Some(1));
    let empty = format!("{} has no postgres", folder.0.display());
    for part in
        [&*empty, "apt-get install postgresql", "brew install", "PG_BIN_DIR", "DATABASE_URL"]
    {
        assert!(printed.contains(part), "{part:?} is not in: {printed}");
    }
}

#[tokio::test]
async fn a_parent_folder_that_postgres_cannot_enter_is_named_with_the_remedy() {
    if !geteuid().is_root() {
        println!("skipped: only root runs Postgres as another user, who may be locked out");
        return;
    }
    let folder = Folder::new();
    let closed = folder.0.join("home");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    let service = Service::spawn(serve(&closed.join("deep/data")));
    let (status, printed) = service.end().await;
    assert_eq!(status.code(), Some(1));
    let remedy = format!("chmod o+x {}", closed.display());
    assert!(printed.contains(&remedy) && printed.contains("/var/lib"), "{printed}");
    folder.is_left_alone().await;
}

#[tokio::test]
async fn an_ordinary_user_runs_it_and_root_can_take_the_folder_over() {
    if !geteuid().is_root() {
        println!("skipped: only root can become an ordinary user; every other test is one");
        return;
    }
    let Some(nobody) = User::from_name("nobody").unwrap() else {
        println!("skipped: there is no user nobody");
        return;
    };
    let folder = Folder::new();
    let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    chown(&folder.0, Some(uid), Some(gid)).unwrap();
    // The checkout may be in a folder that only this user can enter.
    let binary = folder.0.join("befriend");
    // Copied by another process: a file that this process wrote is busy while one of its threads forks.
    assert!(Command::new("cp").arg(BINARY).arg(&binary).status().unwrap().success());
    let ours = serve(&folder.data());
    let mut command = Command::new(&binary);
    command.env_clear().envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.args(ours.get_args()).uid(uid).gid(gid).current_dir("/");

    let service = Service::spawn(command);
    service.tenant("acme#chat").await.create(&["alice"]).await;
    let owner = |pid: i32| fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    assert_eq!(owner(folder.postmaster()), uid);
    assert_eq!(fs::metadata(folder.data()).unwrap().mode() & 0o777, 0o700);
    service.stop().await;
    folder.is_left_alone().await;

    let service = Service::start(&folder.data());
    assert_eq!(owner(folder.postmaster()), uid);
    service.stop().await;
}
