//! BlockService.

use tonic::{Request, Response, Status};

use super::{
    convert::{app_call, strings, usernames},
    follow::{self, Watching},
};
use crate::{
    domain::{Error, SyncPage, SyncPosition, Username},
    gate::bearer,
    ops::{blocks, sync, watch},
    page_token,
    proto::{self, block_service_server::BlockService},
};

pub(super) struct BlockApi;

#[tonic::async_trait]
impl BlockService for BlockApi {
    async fn block_users(
        &self,
        request: Request<proto::BlockUsersRequest>,
    ) -> Result<Response<proto::BlockUsersResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let max = call.core.bounds.block_names;
        let names = usernames("usernames", &message.usernames, max)?;
        let blocked = blocks::block(&call, &owner, &names).await?;
        Ok(Response::new(proto::BlockUsersResponse { usernames: strings(blocked) }))
    }

    async fn unblock_user(
        &self,
        request: Request<proto::UnblockUserRequest>,
    ) -> Result<Response<proto::UnblockUserResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let username = Username::parse("username", &message.username)?;
        let user = blocks::unblock(&call, &owner, &username).await?;
        Ok(Response::new(proto::UnblockUserResponse { user: Some(user.into()) }))
    }

    async fn list_blocked_users(
        &self,
        request: Request<proto::ListBlockedUsersRequest>,
    ) -> Result<Response<proto::ListBlockedUsersResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let size = call.core.bounds.block_pages.choose(message.page_size)?;
        let tokens = page_token::blocks(call.app.id, &owner);
        let before = tokens.read(&message.page_token)?;
        let page = blocks::list(&call, &owner, before, size).await?;
        Ok(Response::new(proto::ListBlockedUsersResponse {
            usernames: strings(page.items),
            next_page_token: tokens.write(page.next),
        }))
    }

    async fn list_all_blocked_users(
        &self,
        request: Request<proto::ListAllBlockedUsersRequest>,
    ) -> Result<Response<proto::ListAllBlockedUsersResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let blocked = blocks::list_all(&call, &owner).await?;
        Ok(Response::new(proto::ListAllBlockedUsersResponse {
            usernames: strings(blocked.newest),
            total_size: blocked.count,
        }))
    }

    async fn sync_blocks(
        &self,
        request: Request<proto::SyncBlocksRequest>,
    ) -> Result<Response<proto::SyncBlocksResponse>, Status> {
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let size = call.core.bounds.sync_pages.choose(message.page_size)?;
        let since = message.since_version;
        let tokens = page_token::block_changes(call.app.id, &owner, since);
        let position = tokens.read_or(&message.page_token, SyncPosition::at(since))?;
        let page = sync::changes(&call, sync::Blocks, &owner, position, size).await?;
        Ok(Response::new(proto::SyncBlocksResponse {
            next_page_token: tokens.write(page.has_more.then_some(page.next)),
            next_version: page.next.version,
            has_more: page.has_more,
            full_resync: page.full_resync,
            changes: follow::changes(page.changes),
        }))
    }

    type WatchBlocksStream = Watching<proto::WatchBlocksResponse>;

    async fn watch_blocks(
        &self,
        request: Request<proto::WatchBlocksRequest>,
    ) -> Result<Response<Self::WatchBlocksStream>, Status> {
        let bearer = bearer(request.metadata().as_ref()).ok_or(Error::Unauthenticated)?;
        let (call, message) = app_call(request)?;
        let owner = Username::parse("owner", &message.owner)?;
        let messages =
            watch::watch(call, bearer, sync::Blocks, owner, message.since_version).await?;
        let render = |page: SyncPage<_>| proto::WatchBlocksResponse {
            next_version: page.next.version,
            full_resync: page.full_resync,
            up_to_date: !page.has_more,
            changes: follow::changes(page.changes),
        };
        Ok(Response::new(follow::watching(messages, render)))
    }
}
