//! The key that befriend makes for itself and keeps beside its private Postgres.

use std::{fs, os::unix::fs::MetadataExt as _, process::Output};

use befriend::clock::Clock;

use crate::support::{
    netease::NetEase,
    process::{Folder, Service, binary, serve},
};

const GET: &str = "/friend/get.action";
const ALICE: &[(&str, &str)] = &[("accid", "alice")];

/// A client of a running service.
fn client(service: &Service) -> NetEase {
    let url = format!("http://{}", service.address());
    NetEase::at(&url, "an-app-key", "a-chosen-app-secret", Clock::system())
}

/// Types `set-credentials` for the folder's service.
fn set_credentials(folder: &Folder) -> Output {
    let mut command = binary(&["app", "set-credentials", "acme#chat"]);
    command.arg("--data-dir").arg(folder.data());
    command.args([
        "--netease-app-key",
        "an-app-key",
        "--netease-app-secret",
        "a-chosen-app-secret",
    ]);
    command.output().unwrap()
}

#[tokio::test]
async fn it_outlives_the_service_and_a_lost_one_costs_only_the_secrets() {
    let folder = Folder::new();
    let first = Service::start(&folder.data());
    let tenant = first.tenant("acme#chat").await;
    tenant.create(&["alice"]).await;
    let done = set_credentials(&folder);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(client(&first).code(GET, ALICE).await, 200);
    first.stop().await;

    let file = folder.data().join("credentials-key");
    let kept = fs::read_to_string(&file).unwrap();
    assert!(kept.starts_with("bfk_"), "a scanner can tell what it is");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600, "for its owner's eyes only");
    let second = Service::start(&folder.data());
    assert_eq!(client(&second).code(GET, ALICE).await, 200);
    second.stop().await;
    assert_eq!(fs::read_to_string(&file).unwrap(), kept, "the same one");

    // A file that was cut short is no key, and no other is put in its place.
    fs::write(&file, "bfk_").unwrap();
    let (status, printed) = Service::spawn(serve(&folder.data())).end().await;
    assert!(!status.success());
    assert!(printed.contains("credentials-key"), "{printed}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "bfk_");

    fs::remove_file(&file).unwrap();
    let third = Service::start(&folder.data());
    assert_eq!(client(&third).code(GET, ALICE).await, 500, "sealed with the lost one");
    let done = set_credentials(&folder);
    assert!(done.status.success(), "{done:?}");
    assert_eq!(client(&third).code(GET, ALICE).await, 200, "set again");
    third.stop().await;
    folder.is_left_alone().await;
}

#[tokio::test]
async fn a_key_that_is_named_goes_before_the_kept_one() {
    let folder = Folder::new();
    let keyed = || {
        let mut command = serve(&folder.data());
        command.env("BEFRIEND_CREDENTIALS_KEY", crate::support::netease::CREDENTIALS_KEY);
        command
    };
    let service = Service::spawn(keyed());
    service.address();
    assert!(!folder.data().join("credentials-key").exists(), "none is made");
    service.stop().await;
    folder.is_left_alone().await;
}
