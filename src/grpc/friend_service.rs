//! FriendService.

use tonic::{Request, Response, Status};

use super::{
    convert::{
        UpdateMask, app_call, bounded, count, opt_time, request_direction, request_states, strings,
    },
    follow::{self, Watching},
};
use crate::{
    domain::{
        EntryChange, Error, Extension, Invalid, Remark, RequestMessage, SyncPage, SyncPosition,
        UpdatedAfter, Username,
    },
    gate::bearer,
    ops::{friends, imports, requests, sync, watch},
    page_token,
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
        let added = friends::add(&call, &owner, &friend, &extension).await?;
        Ok(Response::new(proto::AddFriendResponse {
            friend: Some(added.entry.into()),
            user: Some(added.friend.into()),
        }))
    }

    async fn remove_friend(
        &self,
        request: Request<proto::RemoveFriendRequest>,
    ) -> Result<Response<proto::RemoveFriendResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (owner, friend) = pair(&message.owner, &message.friend)?;
        let removed = friends::remove(&call, &owner, &friend, message.clear_remark).await?;
        Ok(Response::new(proto::RemoveFriendResponse { user: Some(removed.friend.into()) }))
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
        let remark = Some(Remark::parse("remark", &message.remark)?);
        let change = EntryChange { remark, ..EntryChange::default() };
        let entry = friends::update(&call, &owner, &friend, &change).await?;
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
        let tokens = page_token::friends(call.app.id, &owner);
        let after = tokens.read(&message.page_token)?;
        let page = friends::list(&call, &owner, &after, size).await?;
        let entries = page.items.into_iter().map(|entry| proto::list_friends_response::Entry {
            username: entry.username.into_string(),
            remark: message.include_remark.then_some(entry.remark),
        });
        Ok(Response::new(proto::ListFriendsResponse {
            entries: entries.collect(),
            next_page_token: tokens.write(page.next),
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
            total_size: count(names.len()),
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
        let outcome = imports::import(&call, &owner, &message.usernames, message.notify).await?;
        Ok(Response::new(proto::ImportFriendsResponse {
            succeeded: outcome.succeeded,
            not_found: outcome.not_found,
            limit_exceeded: outcome.limit_exceeded,
            failed: outcome.failed,
        }))
    }

    async fn update_friend(
        &self,
        request: Request<proto::UpdateFriendRequest>,
    ) -> Result<Response<proto::UpdateFriendResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (owner, friend) = pair(&message.owner, &message.friend)?;
        let entry = friends::update(&call, &owner, &friend, &entry_change(&message)?).await?;
        Ok(Response::new(proto::UpdateFriendResponse { friend: Some(entry.into()) }))
    }

    async fn sync_friends(
        &self,
        request: Request<proto::SyncFriendsRequest>,
    ) -> Result<Response<proto::SyncFriendsResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let size = call.core.bounds.sync_pages.choose(message.page_size)?;
        let after = opt_time("updated_after", message.updated_after)?;
        let since = message.since_version;
        let tokens = page_token::friend_changes(call.app.id, &owner, since, after);
        let position = tokens.read_or(&message.page_token, SyncPosition::at(since))?;
        let list = sync::Friends(UpdatedAfter(after));
        let page = sync::changes(&call, list, &owner, position, size).await?;
        Ok(Response::new(proto::SyncFriendsResponse {
            next_page_token: tokens.write(page.has_more.then_some(page.next)),
            next_version: page.next.version,
            has_more: page.has_more,
            full_resync: page.full_resync,
            changes: follow::changes(page.changes),
        }))
    }

    type WatchFriendsStream = Watching<proto::WatchFriendsResponse>;

    async fn watch_friends(
        &self,
        request: Request<proto::WatchFriendsRequest>,
    ) -> Result<Response<Self::WatchFriendsStream>, Status> {
        let bearer = bearer(request.metadata().as_ref()).ok_or(Error::Unauthenticated)?;
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let list = sync::Friends::default();
        let messages = watch::watch(call, bearer, list, owner, message.since_version).await?;
        let render = |page: SyncPage<_>| proto::WatchFriendsResponse {
            next_version: page.next.version,
            full_resync: page.full_resync,
            up_to_date: !page.has_more,
            changes: follow::changes(page.changes),
        };
        Ok(Response::new(follow::watching(messages, render)))
    }

    async fn send_friend_request(
        &self,
        request: Request<proto::SendFriendRequestRequest>,
    ) -> Result<Response<proto::SendFriendRequestResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (requester, recipient) = asker(&message.requester, &message.recipient)?;
        let said = RequestMessage::parse("message", &message.message)?;
        let sent = requests::send(&call, &requester, &recipient, &said).await?;
        Ok(Response::new(proto::SendFriendRequestResponse { friend_request: Some(sent.into()) }))
    }

    async fn accept_friend_request(
        &self,
        request: Request<proto::AcceptFriendRequestRequest>,
    ) -> Result<Response<proto::AcceptFriendRequestResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (requester, recipient) = asker(&message.requester, &message.recipient)?;
        let said = RequestMessage::parse("message", &message.message)?;
        let extension = Extension::default();
        let accepted = requests::accept(&call, &requester, &recipient, &said, &extension);
        let (accepted, friend) = accepted.await?;
        Ok(Response::new(proto::AcceptFriendRequestResponse {
            friend_request: Some(accepted.into()),
            friend: Some(friend.into()),
        }))
    }

    async fn reject_friend_request(
        &self,
        request: Request<proto::RejectFriendRequestRequest>,
    ) -> Result<Response<proto::RejectFriendRequestResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (requester, recipient) = asker(&message.requester, &message.recipient)?;
        let said = RequestMessage::parse("message", &message.message)?;
        let rejected = requests::reject(&call, &requester, &recipient, &said).await?;
        Ok(Response::new(proto::RejectFriendRequestResponse {
            friend_request: Some(rejected.into()),
        }))
    }

    async fn cancel_friend_request(
        &self,
        request: Request<proto::CancelFriendRequestRequest>,
    ) -> Result<Response<proto::CancelFriendRequestResponse>, Status> {
        let (call, message) = app_call(request)?;
        let (requester, recipient) = asker(&message.requester, &message.recipient)?;
        let said = RequestMessage::parse("message", &message.message)?;
        let cancelled = requests::cancel(&call, &requester, &recipient, &said).await?;
        Ok(Response::new(proto::CancelFriendRequestResponse {
            friend_request: Some(cancelled.into()),
        }))
    }

    async fn list_friend_requests(
        &self,
        request: Request<proto::ListFriendRequestsRequest>,
    ) -> Result<Response<proto::ListFriendRequestsResponse>, Status> {
        let (call, message) = app_call(request)?;
        let username = Username::parse("username", &message.username)?;
        let direction = request_direction(message.direction)?;
        let states = request_states(&message.states)?;
        let size = call.core.bounds.request_pages.choose(message.page_size)?;
        let tokens = page_token::friend_requests(call.app.id, &username, (direction, &states));
        let before = tokens.read(&message.page_token)?;
        let page = requests::list(&call, &username, direction, &states, before, size).await?;
        Ok(Response::new(proto::ListFriendRequestsResponse {
            friend_requests: page.items.into_iter().map(proto::FriendRequest::from).collect(),
            next_page_token: tokens.write(page.next),
        }))
    }

    async fn list_mutual_friends(
        &self,
        request: Request<proto::ListMutualFriendsRequest>,
    ) -> Result<Response<proto::ListMutualFriendsResponse>, Status> {
        let (call, message) = app_call(request)?;
        let username = Username::parse("username", &message.username)?;
        let other = Username::parse("other", &message.other)?;
        let size = call.core.bounds.friend_pages.choose(message.page_size)?;
        let tokens = page_token::mutual_friends(call.app.id, &username, &other);
        let after = tokens.read(&message.page_token)?;
        let page = friends::mutual(&call, &username, &other, &after, size).await?;
        Ok(Response::new(proto::ListMutualFriendsResponse {
            usernames: strings(page.items),
            next_page_token: tokens.write(page.next),
        }))
    }
}

fn pair(owner: &str, friend: &str) -> Result<(Username, Username), Status> {
    Ok((Username::parse("owner", owner)?, Username::parse("friend", friend)?))
}

fn asker(requester: &str, recipient: &str) -> Result<(Username, Username), Status> {
    Ok((Username::parse("requester", requester)?, Username::parse("recipient", recipient)?))
}

/// Reads which fields of an entry to change, and to what.
fn entry_change(message: &proto::UpdateFriendRequest) -> Result<EntryChange, Invalid> {
    const FIELDS: &[&str] = &["remark", "extension", "server_extension"];
    let mask = UpdateMask::read(message.update_mask.as_ref(), FIELDS)?;
    let remark = mask.choose("remark", message.remark.as_deref(), "");
    let extension = mask.choose("extension", message.extension.as_deref(), "");
    let server = mask.choose("server_extension", message.server_extension.as_deref(), "");
    Ok(EntryChange {
        remark: remark.map(|text| Remark::parse("remark", text)).transpose()?,
        extension: extension.map(|text| Extension::parse("extension", text)).transpose()?,
        server_extension: server
            .map(|text| Extension::parse("server_extension", text))
            .transpose()?,
    })
}
