//! Certificates and secrets that change while the service serves.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use befriend::{clock::Clock, proto};
use nix::sys::signal::Signal;
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore},
};
use tonic::{
    Status,
    transport::{Channel, Endpoint},
};
use x509_parser::parse_x509_certificate;

use crate::support::{
    TestApp,
    app::{Bearer, OPERATOR_TOKEN},
    binary::{self, Service},
    certificates::Certificates,
    postgres,
    process::{Folder, eventually},
};

/// The common name of the certificate that a new connection gets.
async fn served_name(url: &str, certs: &Certificates) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&certs.read("ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(url.split_once("://").unwrap().1).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let chain = tls.get_ref().1.peer_certificates().unwrap();
    let (_, certificate) = parse_x509_certificate(&chain[0]).unwrap();
    let name = certificate.subject().iter_common_name().next().unwrap().as_str().unwrap();
    let name = name.to_owned();
    let _ = tls.shutdown().await;
    name
}

fn endpoint(url: &str, certs: &Certificates) -> Endpoint {
    let url = url.replace("http://", "https://");
    Endpoint::from_shared(url).unwrap().tls_config(certs.client()).unwrap()
}

async fn list_apps(channel: Channel, token: &str) -> Result<(), Status> {
    let bearer = Bearer::new(token);
    let mut apps = proto::app_service_client::AppServiceClient::with_interceptor(channel, bearer);
    apps.list_apps(proto::ListAppsRequest::default()).await.map(drop)
}

/// Calls again and again until `enough`, by turns on a connection of its own and on a new one.
async fn keep_calling(endpoint: Endpoint, enough: Arc<AtomicBool>, calls: Arc<AtomicU32>) {
    let held = endpoint.connect_lazy();
    while !enough.load(Ordering::Relaxed) {
        for channel in [held.clone(), endpoint.connect_lazy()] {
            list_apps(channel, OPERATOR_TOKEN).await.unwrap();
            calls.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_served_soon_and_no_call_fails() {
    let certs = Certificates::make();
    // As Kubernetes mounts a secret: the files are links into a folder, which is a link itself.
    let folder = Folder::new();
    let at = |name: &str| folder.0.join(name);
    let publish = |version: &str| {
        fs::create_dir(at(version)).unwrap();
        for file in ["server.pem", "server.key"] {
            fs::copy(certs.path(file), at(version).join(file)).unwrap();
        }
        symlink(version, at("new")).unwrap();
        fs::rename(at("new"), at("data")).unwrap();
    };
    publish("1");
    let [cert, key] = ["server.pem", "server.key"].map(|file| {
        symlink(Path::new("data").join(file), at(file)).unwrap();
        at(file).to_str().unwrap().to_owned()
    });
    let app = TestApp::with(&["--tls-cert", &cert, "--tls-key", &key], Clock::system()).await;

    let (enough, calls) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let caller = || keep_calling(endpoint(&app.url, &certs), enough.clone(), calls.clone());
    let callers: Vec<_> = (0..4).map(|_| tokio::spawn(caller())).collect();
    let called = |least| {
        eventually("calls", {
            let calls = &calls;
            async move || calls.load(Ordering::Relaxed) >= least
        })
    };
    called(20).await;
    assert_eq!(served_name(&app.url, &certs).await, "server");
    certs.sign("server", "the next one", 4096);
    publish("2");
    let begun = Instant::now();
    eventually("the new certificate", async || {
        served_name(&app.url, &certs).await == "the next one"
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    called(calls.load(Ordering::Relaxed) + 20).await;
    enough.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await.expect("no call fails");
    }
}

/// What `befriend health` prints.
fn health(service: &Service, certs: &Certificates) -> String {
    let url = service.url.replace("http://127.0.0.1", "https://localhost");
    let output = binary::run(&["health", "--url", &url, "--ca", &certs.path("ca.pem")]);
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_pair_that_can_not_be_used_leaves_the_old_one_and_is_told_once() {
    const REFUSED: &str = "the new certificate can't be used: the one from before is served on";
    let certs = Certificates::make();
    let database = postgres::fresh_database().await;
    let [cert, key] = ["server.pem", "server.key"].map(|file| certs.path(file));
    let arguments = ["--database-url", &database, "--tls-cert", &cert, "--tls-key", &key];
    let mut service = Service::start(&arguments).await;
    service.logs("serving").await;
    let good = (fs::read(&cert).unwrap(), fs::read(&key).unwrap());
    let refusal = |bad: &str| format!("{REFUSED}: {bad}");

    // A key of another certificate; no certificate at all; one that has expired.
    fs::write(&key, certs.read("client.key")).unwrap();
    let said = service.logs(REFUSED).await;
    assert!(said["error"].as_str().unwrap().starts_with("--tls-key: "), "{said}");
    assert_eq!(said["level"], "ERROR");
    assert_eq!(served_name(&service.url, &certs).await, "server");
    eventually("health that tells", async || {
        health(&service, &certs) == "SERVING\ncertificates: NOT_SERVING\n"
    })
    .await;
    fs::remove_file(&cert).unwrap();
    let said = service.logs(REFUSED).await;
    assert!(said["error"].as_str().unwrap().contains("can't read"), "{}", refusal(&cert));
    certs.sign("server", "expired", 2020);
    let said = service.logs(REFUSED).await;
    assert!(said["error"].as_str().unwrap().contains("expired at 2020"), "{said}");
    assert_eq!(served_name(&service.url, &certs).await, "server");

    fs::write(&cert, good.0).unwrap();
    fs::write(&key, good.1).unwrap();
    let said = service.logs("new connections use the renewed certificate").await;
    assert!(said["expires_at"].as_str().unwrap().starts_with("4096-01-01"), "{said}");
    eventually("health that is well", async || health(&service, &certs) == "SERVING\n").await;
    assert!(service.stop().await);
    assert_eq!(service.logged.matches(REFUSED).count(), 3, "{}", service.logged);
}

#[tokio::test]
async fn a_hang_up_reads_certificates_and_secrets_again_and_ends_nothing() {
    let (certs, folder) = (Certificates::make(), Folder::new());
    let database = postgres::fresh_database().await;
    let token = folder.0.join("operator-token");
    fs::write(&token, format!("{OPERATOR_TOKEN}\n")).unwrap();
    let (token_file, cert, key) =
        (token.to_str().unwrap(), certs.path("server.pem"), certs.path("server.key"));
    let mut service = Service::start(&[
        "--database-url",
        &database,
        "--operator-token-file",
        token_file,
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
    ])
    .await;
    let endpoint = endpoint(&service.url, &certs);
    let held = endpoint.connect().await.unwrap();
    list_apps(held.clone(), OPERATOR_TOKEN).await.unwrap();

    let next = "another-operator-token-0123456789-0123";
    fs::write(&token, next).unwrap();
    list_apps(held.clone(), next).await.unwrap_err();
    certs.sign("server", "the next one", 4096);
    service.signal(Signal::SIGHUP);
    service.logs("new connections use the renewed certificate").await;
    assert_eq!(served_name(&service.url, &certs).await, "the next one");
    list_apps(held.clone(), next).await.unwrap();
    list_apps(held.clone(), OPERATOR_TOKEN).await.unwrap_err();

    // A secret that can't be used changes nothing.
    fs::write(&token, "short").unwrap();
    service.signal(Signal::SIGHUP);
    let said = service.logs("a secret can't be used: the one from before is used on").await;
    assert!(said["error"].as_str().unwrap().starts_with("--operator-token: "), "{said}");
    list_apps(held, next).await.unwrap();
    assert!(service.stop().await, "{}", service.logged);
    assert!(!service.logged.contains(next), "{}", service.logged);
}

#[tokio::test]
async fn a_hang_up_has_new_connections_use_the_new_credentials_of_the_database() {
    let (folder, database) = (Folder::new(), postgres::fresh_database().await);
    let (role, with_role) = postgres::plain_role(&database).await;
    let pool = sqlx::PgPool::connect(&database).await.unwrap();
    let grant = format!("grant all on all tables in schema public to {role}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(grant)).execute(&pool).await.unwrap();
    let file = folder.0.join("url");
    fs::write(&file, &database).unwrap();
    let mut service = Service::start(&["--database-url-file", file.to_str().unwrap()]).await;
    service.logs("serving").await;
    let connections = "select count(*) from pg_stat_activity where usename = $1";
    let count = async || -> i64 {
        sqlx::query_scalar(connections).bind(&role).fetch_one(&pool).await.unwrap()
    };
    assert_eq!(count().await, 0);

    // Another database would be half of one's data and half of the other's.
    let other = postgres::fresh_database().await;
    fs::write(&file, &other).unwrap();
    service.signal(Signal::SIGHUP);
    let said = service.logs("a secret can't be used: the one from before is used on").await;
    assert!(said["error"].as_str().unwrap().contains("takes a restart"), "{said}");

    fs::write(&file, &with_role).unwrap();
    service.signal(Signal::SIGHUP);
    service.logs("certificates and secrets are read again").await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity \
               where datname = current_database() and application_name = 'befriend'";
    sqlx::query(end).execute(&pool).await.unwrap();
    eventually("connections of the other role", async || count().await > 0).await;
    assert!(service.stop().await, "{}", service.logged);
}
