//! The Rust client against the real server.

#[expect(dead_code, reason = "the example is a program too")]
#[path = "../../clients/rust/examples/story.rs"]
mod example;
mod habits;
mod story;

use befriend_client::{Client, proto::AddFriendRequest};

use crate::support::{Tenant, TestApp};

/// A client of this tenant, by its credentials.
fn client_of(app: &TestApp, tenant: &Tenant) -> Client {
    let client =
        Client::builder(&app.url).credentials(&tenant.app.client_id, &tenant.client_secret);
    client.build().expect("a client")
}

fn add(owner: &str, friend: &str) -> AddFriendRequest {
    AddFriendRequest {
        owner: owner.to_owned(),
        friend: friend.to_owned(),
        ..AddFriendRequest::default()
    }
}
