//! The calls that stories make most, a line each.

use befriend::proto;
use tonic::Status;

use super::{Tenant, TestApp};

/// Limits with this friend limit, and a rate that no test reaches.
pub fn friend_limit(limit: i32) -> proto::AppLimits {
    proto::AppLimits { friend_limit: Some(limit), ..unhurried() }
}

/// Limits with this block limit, and a rate that no test reaches.
pub fn block_limit(limit: i32) -> proto::AppLimits {
    proto::AppLimits { block_limit: Some(limit), ..unhurried() }
}

/// A rate that no test reaches; all else as it is.
fn unhurried() -> proto::AppLimits {
    proto::AppLimits { requests_per_second: Some(1_000_000), ..proto::AppLimits::default() }
}

/// Owned names.
pub fn strings(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A server with one tenant and these users.
pub async fn acme(usernames: &[&str]) -> (TestApp, Tenant) {
    let app = TestApp::start().await;
    let tenant = app.tenant("acme#chat").await;
    tenant.create(usernames).await;
    (app, tenant)
}

impl TestApp {
    /// Issues a token for these credentials, with the default life if none is asked for.
    pub async fn login(
        &self,
        client_id: &str,
        client_secret: &str,
        ttl: Option<std::time::Duration>,
    ) -> Result<proto::IssueTokenResponse, Status> {
        let request = proto::IssueTokenRequest {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            ttl: ttl.map(|ttl| ttl.try_into().expect("a test asks for little")),
        };
        Ok(self.logins().issue_token(request).await?.into_inner())
    }

    /// Holds the row of a user, on a connection of its own, until the transaction is dropped: calls
    /// that change the user wait meanwhile.
    pub async fn hold(&self, username: &str) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let outside = sqlx::PgPool::connect(&self.database_url).await.expect("a connection");
        let mut held = outside.begin().await.expect("a transaction");
        let done = sqlx::query("select from users where username = $1 for update")
            .bind(username)
            .execute(&mut *held)
            .await
            .expect("the row can be locked");
        assert_eq!(done.rows_affected(), 1, "there is one {username}");
        held
    }

    /// Comes back when a connection of the server waits for a lock.
    pub async fn until_somebody_waits_for_a_lock(&self) {
        let mut outside = self.pool().acquire().await.expect("a connection");
        loop {
            let waits: bool = sqlx::query_scalar(
                "select exists (select from pg_stat_activity
                                where datname = current_database() and wait_event_type = 'Lock')",
            )
            .fetch_one(&mut *outside)
            .await
            .expect("the activity can be read");
            if waits {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Changes a tenant's limits.
    pub async fn set_limits(&self, tenant: &Tenant, limits: proto::AppLimits) {
        let app_key = tenant.app.app_key.clone();
        let request = proto::UpdateAppRequest { app_key, limits: Some(limits), update_mask: None };
        self.apps().update_app(request).await.expect("the limits change");
    }
}

impl Tenant {
    /// Creates so many users of numbered names, as "f000", and returns the names in order.
    pub async fn crowd(&self, prefix: &str, size: usize) -> Vec<String> {
        let names: Vec<String> = (0..size).map(|n| format!("{prefix}{n:03}")).collect();
        self.create(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
        names
    }

    /// Makes two users friends, with a server extension on the owner's entry.
    pub async fn befriend_with(
        &self,
        owner: &str,
        friend: &str,
        server_extension: &str,
    ) -> Result<proto::User, Status> {
        let added = self.add_friend(owner, friend, server_extension).await?;
        Ok(added.user.expect("a profile"))
    }

    /// Makes two users friends and returns the whole answer.
    pub async fn add_friend(
        &self,
        owner: &str,
        friend: &str,
        server_extension: &str,
    ) -> Result<proto::AddFriendResponse, Status> {
        let request = proto::AddFriendRequest {
            owner: owner.to_owned(),
            friend: friend.to_owned(),
            server_extension: server_extension.to_owned(),
        };
        Ok(self.friends().add_friend(request).await?.into_inner())
    }

    /// Ends a friendship and forgets the owner's remark.
    pub async fn unfriend_and_forget(
        &self,
        owner: &str,
        friend: &str,
    ) -> Result<proto::User, Status> {
        let request = proto::RemoveFriendRequest {
            owner: owner.to_owned(),
            friend: friend.to_owned(),
            clear_remark: true,
        };
        let answer = self.friends().remove_friend(request).await?;
        Ok(answer.into_inner().user.expect("a profile"))
    }

    /// Ends all friendships of a user and returns how many.
    pub async fn unfriend_all(&self, owner: &str) -> Result<i32, Status> {
        let request = proto::RemoveAllFriendsRequest { owner: owner.to_owned() };
        Ok(self.friends().remove_all_friends(request).await?.into_inner().removed_count)
    }

    /// One entry of a friend list.
    pub async fn entry(&self, owner: &str, friend: &str) -> Result<proto::Friend, Status> {
        let request =
            proto::GetFriendRequest { owner: owner.to_owned(), friend: friend.to_owned() };
        let answer = self.friends().get_friend(request).await?;
        Ok(answer.into_inner().friend.expect("an entry"))
    }

    /// A user's profile.
    pub async fn profile(&self, username: &str) -> Result<proto::User, Status> {
        let request = proto::GetUserRequest { username: username.to_owned() };
        Ok(self.users().get_user(request).await?.into_inner().user.expect("a user"))
    }

    /// Imports friends.
    pub async fn import(
        &self,
        owner: &str,
        usernames: &[&str],
    ) -> Result<proto::ImportFriendsResponse, Status> {
        let request = proto::ImportFriendsRequest {
            owner: owner.to_owned(),
            usernames: strings(usernames),
            notify: false,
        };
        Ok(self.friends().import_friends(request).await?.into_inner())
    }

    /// Asks a user to become friends.
    pub async fn ask(
        &self,
        requester: &str,
        recipient: &str,
        message: &str,
    ) -> Result<proto::FriendRequest, Status> {
        let request = proto::SendFriendRequestRequest {
            requester: requester.to_owned(),
            recipient: recipient.to_owned(),
            message: message.to_owned(),
        };
        let answer = self.friends().send_friend_request(request).await?;
        Ok(answer.into_inner().friend_request.expect("a request"))
    }

    /// Agrees to a request.
    pub async fn accept(&self, requester: &str, recipient: &str) -> Result<proto::Friend, Status> {
        let request = proto::AcceptFriendRequestRequest {
            requester: requester.to_owned(),
            recipient: recipient.to_owned(),
            message: String::new(),
        };
        let answer = self.friends().accept_friend_request(request).await?;
        Ok(answer.into_inner().friend.expect("an entry"))
    }

    /// Takes a user out of a block list.
    pub async fn unblock(&self, owner: &str, username: &str) -> Result<proto::User, Status> {
        let request =
            proto::UnblockUserRequest { owner: owner.to_owned(), username: username.to_owned() };
        Ok(self.blocks().unblock_user(request).await?.into_inner().user.expect("a user"))
    }

    /// How a user stands to others, as (is_friend, blocks, blocked_by).
    pub async fn relations_of(
        &self,
        username: &str,
        others: &[&str],
    ) -> Result<Vec<(bool, bool, bool)>, Status> {
        let request =
            proto::CheckRelationsRequest { username: username.to_owned(), others: strings(others) };
        let answer = self.relations().check_relations(request).await?.into_inner();
        let names: Vec<&str> = answer.relations.iter().map(|r| r.username.as_str()).collect();
        assert_eq!(names, others, "one answer for each, in order");
        Ok(answer.relations.iter().map(|r| (r.is_friend, r.blocks, r.blocked_by)).collect())
    }

    /// Deletes a user.
    pub async fn delete(&self, username: &str) -> Result<proto::User, Status> {
        let request = proto::DeleteUserRequest { username: username.to_owned() };
        Ok(self.users().delete_user(request).await?.into_inner().user.expect("a user"))
    }

    /// Creates a user.
    pub async fn create_one(&self, username: &str, nickname: &str) -> Result<proto::User, Status> {
        let user = proto::NewUser { username: username.to_owned(), nickname: nickname.to_owned() };
        let request = proto::CreateUserRequest { user: Some(user) };
        Ok(self.users().create_user(request).await?.into_inner().user.expect("a user"))
    }

    /// The same tenant with another token.
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    /// Ends a token; an empty one stands for the tenant's own.
    pub async fn revoke(&self, token: &str) -> Result<(), Status> {
        let request = proto::RevokeTokenRequest { access_token: token.to_owned() };
        self.tokens().revoke_token(request).await.map(drop)
    }
}
