//! UserService.

use tonic::{Request, Response, Status};

use super::convert::{UpdateMask, app_call, bounded, new_user};
use crate::{
    domain::{Nickname, User, Username},
    ops::{Call, users},
    page_token,
    proto::{self, user_service_server::UserService},
};

pub(super) struct UserApi;

#[tonic::async_trait]
impl UserService for UserApi {
    async fn create_user(
        &self,
        request: Request<proto::CreateUserRequest>,
    ) -> Result<Response<proto::CreateUserResponse>, Status> {
        let (call, message) = app_call(request)?;
        let new = new_user("user", &message.user.unwrap_or_default())?;
        let created = users::create(&call, &[new]).await?;
        let user = created.into_iter().next().map(proto::User::from);
        Ok(Response::new(proto::CreateUserResponse { user }))
    }

    async fn batch_create_users(
        &self,
        request: Request<proto::BatchCreateUsersRequest>,
    ) -> Result<Response<proto::BatchCreateUsersResponse>, Status> {
        let (call, message) = app_call(request)?;
        bounded("users", message.users.len(), call.core.bounds.batch_users)?;
        let new = message
            .users
            .iter()
            .enumerate()
            .map(|(at, user)| new_user(&format!("users[{at}]"), user))
            .collect::<Result<Vec<_>, _>>()?;
        let created = users::create(&call, &new).await?;
        Ok(Response::new(proto::BatchCreateUsersResponse {
            users: created.into_iter().map(proto::User::from).collect(),
        }))
    }

    async fn get_user(
        &self,
        request: Request<proto::GetUserRequest>,
    ) -> Result<Response<proto::GetUserResponse>, Status> {
        let (call, message) = app_call(request)?;
        let username = Username::parse("username", &message.username)?;
        let (user, head) = users::get(&call, &username).await?;
        Ok(Response::new(proto::GetUserResponse {
            user: Some(user.into()),
            list_summary: Some(head.into()),
        }))
    }

    async fn list_users(
        &self,
        request: Request<proto::ListUsersRequest>,
    ) -> Result<Response<proto::ListUsersResponse>, Status> {
        let (call, message) = app_call(request)?;
        let size = call.core.bounds.user_pages.choose(message.page_size)?;
        let tokens = page_token::users(call.app.id);
        let after = tokens.read(&message.page_token)?;
        let page = users::list(&call, &after, size).await?;
        Ok(Response::new(proto::ListUsersResponse {
            users: page.items.into_iter().map(proto::User::from).collect(),
            next_page_token: tokens.write(page.next),
        }))
    }

    async fn update_user(
        &self,
        request: Request<proto::UpdateUserRequest>,
    ) -> Result<Response<proto::UpdateUserResponse>, Status> {
        let (call, message) = app_call(request)?;
        let username = Username::parse("username", &message.username)?;
        let mask = UpdateMask::read(message.update_mask.as_ref(), &["nickname"])?;
        let user = match mask.choose("nickname", message.nickname.as_deref(), "") {
            None => users::get(&call, &username).await?.0,
            Some(nickname) => {
                let nickname = Nickname::parse("nickname", nickname)?;
                users::set_nickname(&call, &username, &nickname).await?
            }
        };
        Ok(Response::new(proto::UpdateUserResponse { user: Some(user.into()) }))
    }

    async fn activate_user(
        &self,
        request: Request<proto::ActivateUserRequest>,
    ) -> Result<Response<proto::ActivateUserResponse>, Status> {
        let (call, message) = app_call(request)?;
        let user = set_activated(&call, &message.username, true).await?;
        Ok(Response::new(proto::ActivateUserResponse { user: Some(user.into()) }))
    }

    async fn deactivate_user(
        &self,
        request: Request<proto::DeactivateUserRequest>,
    ) -> Result<Response<proto::DeactivateUserResponse>, Status> {
        let (call, message) = app_call(request)?;
        let user = set_activated(&call, &message.username, false).await?;
        Ok(Response::new(proto::DeactivateUserResponse { user: Some(user.into()) }))
    }

    async fn delete_user(
        &self,
        request: Request<proto::DeleteUserRequest>,
    ) -> Result<Response<proto::DeleteUserResponse>, Status> {
        let (call, message) = app_call(request)?;
        let username = Username::parse("username", &message.username)?;
        let user = users::delete(&call, &username).await?;
        Ok(Response::new(proto::DeleteUserResponse { user: Some(user.into()) }))
    }
}

async fn set_activated(call: &Call, username: &str, activated: bool) -> Result<User, Status> {
    let username = Username::parse("username", username)?;
    Ok(users::set_activated(call, &username, activated).await?)
}
