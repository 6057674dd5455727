//! The app of a benchmark and its token, made by the service's own calls.

use befriend::proto::{
    self, app_service_client::AppServiceClient, token_service_client::TokenServiceClient,
};
use tonic::{
    Request, Status, body::Body, client::GrpcService, codegen::StdError,
    metadata::AsciiMetadataValue,
};

/// Any failure ends a benchmark.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The value of an "authorization" header.
pub type Token = AsciiMetadataValue;

/// The operator's token of every server that a benchmark starts.
pub const OPERATOR: &str = "operator-token-of-the-bench-0123456789";

/// What a gRPC client calls: a connection, or a server in this process.
pub trait Server: GrpcService<Body, ResponseBody = Body, Error: Into<StdError>> + Clone {}

impl<T: GrpcService<Body, ResponseBody = Body, Error: Into<StdError>> + Clone> Server for T {}

/// The operator's token as a header.
pub fn operator() -> Token {
    bearer(OPERATOR).expect("the operator's token is a header")
}

/// A request with this token.
pub fn authorized<T>(token: &Token, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", token.clone());
    request
}

/// Creates an app with limits that no benchmark reaches. The answer holds its credentials.
pub async fn create_app(
    server: impl Server,
    app_key: &str,
) -> Result<proto::CreateAppResponse, Status> {
    let limits = proto::AppLimits {
        friend_limit: Some(10_000),
        block_limit: Some(10_000),
        requests_per_second: Some(1_000_000),
    };
    let create = proto::CreateAppRequest { app_key: app_key.to_owned(), limits: Some(limits) };
    let mut apps = AppServiceClient::new(server);
    Ok(apps.create_app(authorized(&operator(), create)).await?.into_inner())
}

/// Logs in as an app.
pub async fn issue_token(
    server: impl Server,
    client_id: String,
    client_secret: String,
) -> Result<Token, Failure> {
    let login = proto::IssueTokenRequest { client_id, client_secret, ttl: None };
    let issued = TokenServiceClient::new(server).issue_token(login).await?.into_inner();
    bearer(&issued.access_token)
}

fn bearer(token: &str) -> Result<Token, Failure> {
    Ok(format!("Bearer {token}").parse()?)
}
