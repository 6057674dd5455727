//! FriendService.

use tonic::{Request, Response, Status};

use super::convert::{app_call, bounded, count, strings};
use crate::{
    domain::{Extension, Remark, Username},
    ops::{Call, friends},
    page_token::{self, Binding},
    proto::{self, friend_service_server::FriendService},
};

pub(super) struct FriendApi;

#[tonic::async_trait]
impl FriendService for FriendApi {
    async fn add_friend(
        &self,
        request: Request<proto::AddFriendRequest>,
    ) -> Result<Response<proto::AddFriendResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (owner, friend) = pair(&message.owner, &message.friend)?;
        let extension = Extension::parse("server_extension", &message.server_extension)?;
        let user = friends::add(&call, &owner, &friend, &extension).await?;
        Ok(Response::new(proto::AddFriendResponse { friend: Some(user.into()) }))
    }

    async fn remove_friend(
        &self,
        request: Request<proto::RemoveFriendRequest>,
    ) -> Result<Response<proto::RemoveFriendResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (owner, friend) = pair(&message.owner, &message.friend)?;
        let user = friends::remove(&call, &owner, &friend, message.clear_remark).await?;
        Ok(Response::new(proto::RemoveFriendResponse { friend: Some(user.into()) }))
    }

    async fn remove_all_friends(
        &self,
        request: Request<proto::RemoveAllFriendsRequest>,
    ) -> Result<Response<proto::RemoveAllFriendsResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let removed = friends::remove_all(&call, &owner).await?;
        Ok(Response::new(proto::RemoveAllFriendsResponse { removed_count: count(removed) }))
    }

    async fn set_remark(
        &self,
        request: Request<proto::SetRemarkRequest>,
    ) -> Result<Response<proto::SetRemarkResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (owner, friend) = pair(&message.owner, &message.friend)?;
        let remark = Remark::parse("remark", &message.remark)?;
        let entry = friends::set_remark(&call, &owner, &friend, &remark).await?;
        Ok(Response::new(proto::SetRemarkResponse { friend: Some(entry.into()) }))
    }

    async fn get_friend(
        &self,
        request: Request<proto::GetFriendRequest>,
    ) -> Result<Response<proto::GetFriendResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (owner, friend) = pair(&message.owner, &message.friend)?;
        let entry = friends::get(&call, &owner, &friend).await?;
        Ok(Response::new(proto::GetFriendResponse { friend: Some(entry.into()) }))
    }

    async fn list_friends(
        &self,
        request: Request<proto::ListFriendsRequest>,
    ) -> Result<Response<proto::ListFriendsResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let size = call.core.bounds.friend_pages.choose(message.page_size)?;
        let binding = list_binding(&call, &owner);
        let after: String = page_token::read(binding, &message.page_token)?;
        let page = friends::list(&call, &owner, &after, size).await?;
        let entries = page.items.into_iter().map(|entry| proto::list_friends_response::Entry {
            username: entry.username.into_string(),
            remark: message.include_remark.then_some(entry.remark),
        });
        Ok(Response::new(proto::ListFriendsResponse {
            friends: entries.collect(),
            next_page_token: page_token::write(binding, page.next),
        }))
    }

    async fn list_all_friends(
        &self,
        request: Request<proto::ListAllFriendsRequest>,
    ) -> Result<Response<proto::ListAllFriendsResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let names = friends::list_all(&call, &owner).await?;
        Ok(Response::new(proto::ListAllFriendsResponse {
            count: count(names.len()),
            usernames: strings(names),
        }))
    }

    async fn import_friends(
        &self,
        request: Request<proto::ImportFriendsRequest>,
    ) -> Result<Response<proto::ImportFriendsResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        bounded("usernames", message.usernames.len(), call.core.bounds.import_names)?;
        let outcome = friends::import(&call, &owner, &message.usernames, message.notify).await?;
        Ok(Response::new(proto::ImportFriendsResponse {
            succeeded: outcome.succeeded,
            not_found: outcome.not_found,
            limit_exceeded: outcome.limit_exceeded,
            failed: outcome.failed,
        }))
    }
}

fn pair(owner: &str, friend: &str) -> Result<(Username, Username), Status> {
    Ok((Username::parse("owner", owner)?, Username::parse("friend", friend)?))
}

fn list_binding<'a>(call: &Call, owner: &'a Username) -> Binding<'a> {
    Binding { call: "FriendService/ListFriends", app: Some(call.app.id), owner: owner.as_str() }
}
