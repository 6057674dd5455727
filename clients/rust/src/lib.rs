//! The client of befriend, a friend-relationship service.
//!
//! ```no_run
//! # async fn story() -> Result<(), befriend_client::Error> {
//! use befriend_client::{Client, proto::AddFriendRequest};
//!
//! let client = Client::builder("http://127.0.0.1:50051")
//!     .credentials("client-id", "client-secret")
//!     .build()?;
//! let request = AddFriendRequest { owner: "alice".into(), friend: "bob".into(), ..Default::default() };
//! client.friends().add_friend(request).await?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Client`] hands out the generated clients of all services. Each call of theirs has a deadline and a
//! token, and is repeated where that can do no harm; [`Client`] says when. Lists come as streams of entries
//! ([`Client::entries`]), and a watch goes on by itself ([`Client::watch_friends`]). [`Error`] has the reason
//! for which the service refused a call. [`webhook`] verifies callbacks.

// The examples of the README compile.
#[cfg(all(doctest, feature = "client"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "client")]
mod error;
#[cfg(feature = "client")]
mod lists;
#[cfg(feature = "client")]
mod methods;
#[cfg(feature = "client")]
mod pages;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "client")]
mod tokens;
#[cfg(feature = "client")]
mod transport;
#[cfg(feature = "client")]
mod watch;
#[cfg(feature = "webhook")]
pub mod webhook;

#[cfg(feature = "client")]
pub use self::{
    client::{Builder, Client},
    error::Error,
    lists::{BlockList, FriendList},
    pages::Paged,
    transport::Transport,
};

pub mod proto {
    //! The generated types, clients and servers of package `befriend.v1`. `make clients` generates them.

    #![expect(
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("generated/befriend.v1.rs");
}
