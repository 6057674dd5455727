//! The services that an app can be pulled from.

use super::{
    client::{self, Pace},
    easemob::Easemob,
    error::PullError,
    lists::{ListsAnswer, UserPage},
    netease::NetEase,
};

/// An app at one of the services.
pub enum Vendor {
    /// At Easemob, or at a service with the same API.
    Easemob(Box<Easemob>),
    /// At NetEase, or at a service with the same API.
    NetEase(Box<NetEase>),
}

impl Vendor {
    /// The service and its app, as text. A folder holds what was pulled from one such source.
    pub(super) fn source(&self) -> String {
        match self {
            Self::Easemob(vendor) => vendor.source(),
            Self::NetEase(vendor) => vendor.source(),
        }
    }

    pub(super) fn pace(&self) -> Pace {
        match self {
            Self::Easemob(vendor) => vendor.pace(),
            Self::NetEase(vendor) => vendor.pace(),
        }
    }

    /// Whether everybody on the network path can read the pulled data and the token: the address is
    /// plain http://, on another machine.
    #[must_use]
    pub fn is_in_the_clear(&self) -> bool {
        client::is_in_the_clear(match self {
            Self::Easemob(vendor) => vendor.address(),
            Self::NetEase(vendor) => vendor.address(),
        })
    }

    /// The page of users after `cursor`.
    pub(super) async fn users(&self, cursor: Option<&str>) -> Result<UserPage, PullError> {
        match self {
            Self::Easemob(vendor) => vendor.users(cursor).await,
            Self::NetEase(_) => Err(PullError::Setting(
                "NetEase's API can't list users: name them by --users".to_owned(),
            )),
        }
    }

    /// The lists of a user, or why there are none.
    pub(super) async fn lists(&self, username: &str) -> Result<ListsAnswer, PullError> {
        match self {
            Self::Easemob(vendor) => vendor.lists(username).await,
            Self::NetEase(vendor) => vendor.lists(username).await,
        }
    }
}
