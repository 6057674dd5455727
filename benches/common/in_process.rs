//! The service in the process of the benchmark, and an app with users on it.

use std::sync::Arc;

use befriend::{
    clock::Clock,
    config::ServeArgs,
    domain::Secret,
    ops::Core,
    proto::{self, user_service_client::UserServiceClient},
    server,
};
use clap::Parser;

use super::app::{Failure, OPERATOR, Server, Token, authorized, create_app, issue_token};

/// The flags of `befriend serve`.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    serve: ServeArgs,
}

/// The service on this database, with its default settings except for these flags.
pub fn core(url: &str, flags: &[&str]) -> Result<(Arc<Core>, ServeArgs), Failure> {
    let args = Flags::parse_from(["befriend"].iter().chain(flags)).serve;
    let core = server::core(url, &args, Some(Secret::presented(OPERATOR)), Clock::system())?;
    Ok((core, args))
}

/// Creates an app with these users, and returns its token.
pub async fn app_with_users(
    server: impl Server,
    app_key: &str,
    usernames: &[String],
) -> Result<Token, Failure> {
    let created = create_app(server.clone(), app_key).await?;
    let client_id = created.app.unwrap_or_default().client_id;
    let token = issue_token(server.clone(), client_id, created.client_secret).await?;
    let mut users = UserServiceClient::new(server);
    for batch in usernames.chunks(50) {
        let new =
            |username: &String| proto::NewUser { username: username.clone(), ..Default::default() };
        let request = proto::BatchCreateUsersRequest { users: batch.iter().map(new).collect() };
        users.batch_create_users(authorized(&token, request)).await?;
    }
    Ok(token)
}
