//! `befriend health`: what a container's health check runs.

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use clap::Args;
use serde_json::{Map, Value, json};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::{
    error::CommandError,
    output::{OutputArgs, OutputError, print},
};
use crate::{config::ListenAddress, server::health::parts};

/// How long the connection may take, and how long the answer.
const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Args, Debug)]
pub(super) struct HealthArgs {
    /// The address of the service; https:// for TLS [default: where BEFRIEND_LISTEN is reached from
    /// this machine].
    #[arg(long, env = "BEFRIEND_HEALTH_URL", value_name = "URL")]
    url: Option<String>,
    /// The certificate of the authority that signed the server's certificate (PEM).
    #[arg(long, env = "BEFRIEND_HEALTH_CA", value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The client's certificate (PEM), if the server asks for one.
    #[arg(long, env = "BEFRIEND_HEALTH_CERT", value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of --cert (PEM).
    #[arg(long, env = "BEFRIEND_HEALTH_KEY", value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Asks the service at `--url`, else the one that listens on `listen` on this machine.
pub(super) async fn health(
    args: HealthArgs,
    listen: &ListenAddress,
) -> Result<ExitCode, CommandError> {
    let url = args.url.unwrap_or_else(|| format!("http://{}", listen.from_here()));
    let mut endpoint =
        Endpoint::from_shared(url.clone())?.connect_timeout(TIMEOUT).timeout(TIMEOUT);
    if url.starts_with("https:") {
        let mut tls = ClientTlsConfig::new();
        if let Some(ca) = &args.ca {
            tls = tls.ca_certificate(Certificate::from_pem(fs::read(ca)?));
        }
        if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
            tls = tls.identity(Identity::from_pem(fs::read(cert)?, fs::read(key)?));
        }
        endpoint = endpoint.tls_config(tls)?;
    }
    let mut client = HealthClient::new(endpoint.connect().await?);
    let status = check(&mut client, "").await?;
    let mut troubled = Map::new();
    for part in parts() {
        // Servers of other versions have other parts.
        let Ok(status) = check(&mut client, part).await else { continue };
        if status != ServingStatus::Serving {
            troubled.insert(part.to_owned(), json!(status.as_str_name()));
        }
    }
    // The exit code is the answer for whoever reads no output.
    let _ = show(args.output, status, troubled);
    Ok(if status == ServingStatus::Serving { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shows the status, and the parts that do not serve.
fn show(
    output: OutputArgs,
    status: ServingStatus,
    troubled: Map<String, Value>,
) -> Result<(), OutputError> {
    if output.is_json() {
        let status = json!(status.as_str_name());
        return output.members([("status", status), ("not_serving", Value::Object(troubled))]);
    }
    print(status.as_str_name())?;
    let troubled = troubled.into_iter();
    troubled
        .map(|(part, status)| (part, status.as_str().unwrap_or_default().to_owned()))
        .try_for_each(|(part, status)| print(format_args!("{part}: {status}")))
}

async fn check(
    client: &mut HealthClient<Channel>,
    name: &str,
) -> Result<ServingStatus, tonic::Status> {
    let request = HealthCheckRequest { service: name.to_owned() };
    Ok(client.check(request).await?.into_inner().status())
}
