//! The listener with TLS: certificates made for the test.

use std::sync::Arc;

use befriend::{clock::Clock, proto};
use rustls_pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore},
};
use tonic::{
    Status,
    transport::{Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::support::{TestApp, app::Bearer, app::OPERATOR_TOKEN, certificates::Certificates};

/// Lists the apps over TLS.
async fn call(app: &TestApp, tls: ClientTlsConfig) -> Result<(), Status> {
    let url = app.url.replace("http://", "https://");
    let endpoint = Endpoint::from_shared(url).unwrap().tls_config(tls).unwrap();
    list(endpoint.connect_lazy()).await
}

async fn list(channel: Channel) -> Result<(), Status> {
    let bearer = Bearer::new(OPERATOR_TOKEN);
    let mut apps = proto::app_service_client::AppServiceClient::with_interceptor(channel, bearer);
    apps.list_apps(proto::ListAppsRequest::default()).await.map(drop)
}

#[tokio::test]
async fn a_listener_with_a_certificate_speaks_tls_and_nothing_else() {
    let certs = Certificates::make();
    let (cert, key) = (certs.path("server.pem"), certs.path("server.key"));
    let app = TestApp::with(&["--tls-cert", &cert, "--tls-key", &key], Clock::system()).await;

    call(&app, certs.client()).await.unwrap();
    let stranger = Certificates::make();
    assert!(call(&app, stranger.client()).await.is_err(), "another authority's server");
    assert!(list(app.channel.clone()).await.is_err(), "no TLS");
}

#[tokio::test]
async fn a_listener_that_knows_its_clients_refuses_all_others() {
    let certs = Certificates::make();
    let [cert, key, ca] = ["server.pem", "server.key", "ca.pem"].map(|file| certs.path(file));
    let flags = ["--tls-cert", &cert, "--tls-key", &key, "--tls-client-ca", &ca];
    let app = TestApp::with(&flags, Clock::system()).await;

    call(&app, certs.known_client()).await.unwrap();
    assert!(call(&app, certs.client()).await.is_err(), "without a certificate");
    let stranger = Certificates::make();
    let forged = certs
        .client()
        .identity(Identity::from_pem(stranger.read("client.pem"), stranger.read("client.key")));
    assert!(call(&app, forged).await.is_err(), "with one that nobody known has signed");
}

#[tokio::test]
async fn clients_that_know_only_http_1_are_served_over_tls_too() {
    let certs = Certificates::make();
    let (cert, key) = (certs.path("server.pem"), certs.path("server.key"));
    let app = TestApp::with(&["--tls-cert", &cert, "--tls-key", &key], Clock::system()).await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&certs.read("ca.pem")).unwrap()).unwrap();
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    for offered in [vec![b"http/1.1".to_vec()], vec![]] {
        config.alpn_protocols = offered;
        let tcp = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config.clone()));
        let mut tls = connector.connect(name, tcp).await.unwrap();
        let asked =
            b"GET /acme/chat/users HTTP/1.1\r\nHost: im.example\r\nConnection: close\r\n\r\n";
        tls.write_all(asked).await.unwrap();
        let mut answer = String::new();
        let _ = tls.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert!(answer.contains("organization_application_not_found"), "{answer}");
    }
}

#[tokio::test]
async fn handshakes_that_do_not_end_shut_nobody_out() {
    let certs = Certificates::make();
    let (cert, key) = (certs.path("server.pem"), certs.path("server.key"));
    let flags = ["--tls-cert", &cert, "--tls-key", &key, "--max-connections", "64"];
    let app = TestApp::with(&flags, Clock::system()).await;
    let mut half = Vec::new();
    for _ in 0..200 {
        let mut tcp = TcpStream::connect(app.url.strip_prefix("http://").unwrap()).await.unwrap();
        // A record of a handshake, of which the most is still to come.
        tcp.write_all(b"\x16\x03\x01\x02\x00\x01").await.unwrap();
        half.push(tcp);
    }
    call(&app, certs.client()).await.unwrap();
    drop(half);
}
