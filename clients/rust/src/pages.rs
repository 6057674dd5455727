//! Lists as streams of their entries.

use std::collections::VecDeque;

use futures_util::{Stream, stream};

use crate::{Client, error::Error, proto};

/// A request whose answers are pages of a list. [`Client::entries`] walks over all pages.
pub trait Paged: Clone + Send + 'static {
    /// An entry of the list.
    type Entry: Send;

    /// Asks for the page that the request's page_token names. Returns its entries, and the token of the next page,
    /// empty if there is none.
    #[doc(hidden)]
    fn page(
        self,
        client: Client,
    ) -> impl Future<Output = Result<(Vec<Self::Entry>, String), Error>> + Send;

    #[doc(hidden)]
    fn continue_at(&mut self, page_token: String);
}

macro_rules! paged {
    ($($request:ident => $service:ident.$method:ident -> $entries:ident: $entry:ty;)*) => {$(
        impl Paged for proto::$request {
            type Entry = $entry;

            async fn page(self, client: Client) -> Result<(Vec<$entry>, String), Error> {
                let page = client.$service().$method(self).await?.into_inner();
                Ok((page.$entries, page.next_page_token))
            }

            fn continue_at(&mut self, page_token: String) {
                self.page_token = page_token;
            }
        }
    )*};
}

paged! {
    ListFriendsRequest => friends.list_friends -> entries: proto::list_friends_response::Entry;
    ListMutualFriendsRequest => friends.list_mutual_friends -> usernames: String;
    ListFriendRequestsRequest => friends.list_friend_requests -> friend_requests: proto::FriendRequest;
    ListBlockedUsersRequest => blocks.list_blocked_users -> usernames: String;
    ListUsersRequest => users.list_users -> users: proto::User;
    ListEventsRequest => events.list_events -> events: proto::Event;
    ListAppsRequest => apps.list_apps -> apps: proto::App;
    ListAuditEventsRequest => audit.list_audit_events -> audit_events: proto::AuditEvent;
    ListOperatorTokensRequest => operator_tokens.list_operator_tokens -> operator_tokens: proto::OperatorToken;
}

/// A walk over pages.
struct Walk<R: Paged> {
    client: Client,
    read: VecDeque<R::Entry>,
    /// Asks for the next page; None after the last one.
    next: Option<R>,
}

impl Client {
    /// All entries of a list, from the page on that the request names. A page is asked for when its first entry is
    /// wanted. After an error the stream ends.
    ///
    /// ```no_run
    /// # use befriend_client::{Client, Error, proto::ListFriendsRequest};
    /// # async fn story(client: Client) -> Result<(), Error> {
    /// use futures_util::TryStreamExt as _;
    ///
    /// let request = ListFriendsRequest { owner: "alice".into(), ..Default::default() };
    /// let friends: Vec<_> = client.entries(request).try_collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn entries<R: Paged>(
        &self,
        request: R,
    ) -> impl Stream<Item = Result<R::Entry, Error>> + use<R> {
        let walk = Walk { client: self.clone(), read: VecDeque::new(), next: Some(request) };
        Box::pin(stream::try_unfold(walk, |mut walk| async move {
            loop {
                if let Some(entry) = walk.read.pop_front() {
                    return Ok(Some((entry, walk)));
                }
                let Some(mut request) = walk.next.take() else { return Ok(None) };
                let (entries, token) = request.clone().page(walk.client.clone()).await?;
                walk.read = entries.into();
                // A page may be empty though others follow.
                if !token.is_empty() {
                    request.continue_at(token);
                    walk.next = Some(request);
                }
            }
        }))
    }
}
