//! Calls on friend requests, a line each, and what was told of them.

use befriend::proto::{self, FriendRequestDirection as Direction, FriendRequestState as State};
use tonic::Status;

use super::{Tenant, TestApp};

impl Tenant {
    /// Agrees to a request and says something with it.
    pub async fn accept_saying(
        &self,
        requester: &str,
        recipient: &str,
        message: &str,
    ) -> Result<proto::FriendRequest, Status> {
        let request = proto::AcceptFriendRequestRequest {
            requester: requester.to_owned(),
            recipient: recipient.to_owned(),
            message: message.to_owned(),
        };
        let answer = self.friends().accept_friend_request(request).await?;
        Ok(answer.into_inner().friend_request.expect("a request"))
    }

    /// Declines a request.
    pub async fn reject(
        &self,
        requester: &str,
        recipient: &str,
        message: &str,
    ) -> Result<proto::FriendRequest, Status> {
        let request = proto::RejectFriendRequestRequest {
            requester: requester.to_owned(),
            recipient: recipient.to_owned(),
            message: message.to_owned(),
        };
        let answer = self.friends().reject_friend_request(request).await?;
        Ok(answer.into_inner().friend_request.expect("a request"))
    }

    /// Takes a request back.
    pub async fn cancel(
        &self,
        requester: &str,
        recipient: &str,
        message: &str,
    ) -> Result<proto::FriendRequest, Status> {
        let request = proto::CancelFriendRequestRequest {
            requester: requester.to_owned(),
            recipient: recipient.to_owned(),
            message: message.to_owned(),
        };
        let answer = self.friends().cancel_friend_request(request).await?;
        Ok(answer.into_inner().friend_request.expect("a request"))
    }

    /// The first 50 requests of a user, newest first.
    pub async fn requests_of(
        &self,
        username: &str,
        direction: Direction,
        states: &[State],
    ) -> Result<Vec<proto::FriendRequest>, Status> {
        let request = proto::ListFriendRequestsRequest {
            username: username.to_owned(),
            direction: direction.into(),
            states: states.iter().map(|state| i32::from(*state)).collect(),
            page_size: 50,
            page_token: String::new(),
        };
        Ok(self.friends().list_friend_requests(request).await?.into_inner().friend_requests)
    }

    /// The state of the last request from one to the other, after a look that both see the same.
    pub async fn state_of(&self, requester: &str, recipient: &str) -> Option<State> {
        let sent = self.requests_of(requester, Direction::Outgoing, &[]).await.expect("requests");
        let got = self.requests_of(recipient, Direction::Incoming, &[]).await.expect("requests");
        let sent = sent.into_iter().find(|request| request.recipient == recipient);
        let got = got.into_iter().find(|request| request.requester == requester);
        assert_eq!(sent, got, "both sides of a request");
        sent.map(|request| request.state())
    }

    /// How many requests a user got and sent, that wait.
    pub async fn pending(&self, username: &str) -> (i32, i32) {
        let head = self.head(username).await.expect("a user");
        (head.incoming_friend_request_count, head.outgoing_friend_request_count)
    }
}

impl TestApp {
    /// Keeps the tenant's events from now on; for a server that delivers none.
    pub async fn keep_events(&self, tenant: &Tenant) {
        let request = proto::CreateCallbackRuleRequest {
            app_key: tenant.app.app_key.clone(),
            url: "http://127.0.0.1:9/".to_owned(),
            ..proto::CreateCallbackRuleRequest::default()
        };
        self.callback_rules().create_callback_rule(request).await.expect("a rule");
    }

    /// The events kept since, each as "type owner>friend detail", in the order they were written; and
    /// forgets them.
    pub async fn told(&self) -> Vec<String> {
        let events: Vec<(String, i64)> = sqlx::query_as(
            "delete from outbox
             returning trim(format('%s %s>%s %s', type, owner_name, friend_name, detail)),
                       message_id",
        )
        .fetch_all(self.pool())
        .await
        .expect("the events can be read");
        let mut events: Vec<_> = events.into_iter().map(|(event, id)| (id, event)).collect();
        events.sort();
        events.into_iter().map(|(_, event)| event).collect()
    }
}
