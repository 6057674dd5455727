//! Watches that go on by themselves.

use std::time::Duration;

use futures_util::{Stream, stream};
use tokio::time::{Instant, sleep};
use tonic::{Code, Status, Streaming};

use crate::{
    Client,
    error::{self, Error},
    lists::is_ahead,
    proto::{
        ErrorReason, WatchBlocksRequest, WatchBlocksResponse, WatchFriendsRequest,
        WatchFriendsResponse,
    },
    transport::jittered,
};

/// The longest pause before a watch is opened again, as between the tries of a call.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A stream that lived this long was well.
const LIFE: Duration = Duration::from_secs(1);

/// A message of a watch.
trait Message: Sized + Send + 'static {
    fn open(
        client: Client,
        owner: String,
        since_version: i64,
    ) -> impl Future<Output = Result<Streaming<Self>, Status>> + Send;

    fn next_version(&self) -> i64;

    fn set_full_resync(&mut self);
}

macro_rules! message {
    ($message:ident, $request:ident, $service:ident.$method:ident) => {
        impl Message for $message {
            async fn open(
                client: Client,
                owner: String,
                since_version: i64,
            ) -> Result<Streaming<Self>, Status> {
                let request = $request { owner, since_version };
                Ok(client.$service().$method(request).await?.into_inner())
            }

            fn next_version(&self) -> i64 {
                self.next_version
            }

            fn set_full_resync(&mut self) {
                self.full_resync = true;
            }
        }
    };
}

message!(WatchFriendsResponse, WatchFriendsRequest, friends.watch_friends);
message!(WatchBlocksResponse, WatchBlocksRequest, blocks.watch_blocks);

struct Watch<M> {
    client: Client,
    owner: String,
    version: i64,
    /// The next message starts the list anew, whatever it says.
    anew: bool,
    open: Option<Streaming<M>>,
    /// When the last stream was opened.
    opened: Option<Instant>,
    /// How many streams in a row ended soon.
    failures: u32,
    /// How long the service wants to be left alone.
    least: Duration,
}

impl<M: Message> Watch<M> {
    async fn next(&mut self) -> Result<M, Error> {
        loop {
            let was_open = self.open.is_some();
            match self.step().await {
                Ok(Some(mut message)) => {
                    self.version = message.next_version();
                    if std::mem::take(&mut self.anew) {
                        message.set_full_resync();
                    }
                    return Ok(message);
                }
                // The service stops, or the longest time of a watch is over.
                Ok(None) => {}
                Err(status) => self.take(status, was_open)?,
            }
            self.open = None;
            // Each stream brings a message at once, so a message does not show that it is well.
            let lived = self.opened.is_some_and(|opened| opened.elapsed() >= LIFE);
            self.failures = if lived { 0 } else { self.failures.saturating_add(1) };
        }
    }

    /// The next message of the stream that is open, or of a new one. None at the stream's end.
    async fn step(&mut self) -> Result<Option<M>, Status> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => {
                self.wait().await;
                self.opened = Some(Instant::now());
                M::open(self.client.clone(), self.owner.clone(), self.version).await?
            }
        };
        let message = open.message().await;
        self.open = Some(open);
        message
    }

    /// Returns the error if it ends the watch. `was_open`: whether the stream had brought a message before.
    fn take(&mut self, status: Status, was_open: bool) -> Result<(), Error> {
        self.least = error::retry_after(&status).unwrap_or_default();
        let goes_on = match error::reason(&status) {
            Some(
                ErrorReason::WatcherTooSlow
                | ErrorReason::Unavailable
                | ErrorReason::Conflict
                | ErrorReason::DeadlineExceeded
                | ErrorReason::RateLimited,
            ) => true,
            // A stream outlives its token. An opening has tried another one already.
            Some(ErrorReason::Unauthenticated) => was_open,
            Some(_) => false,
            // What is in between, or the connection itself.
            None => matches!(
                status.code(),
                Code::Unavailable
                    | Code::Unknown
                    | Code::Cancelled
                    | Code::Internal
                    | Code::DeadlineExceeded
            ),
        };
        if goes_on {
            return Ok(());
        }
        let error = Error::from(status);
        if is_ahead(&error) && self.version != 0 {
            self.version = 0;
            self.anew = true;
            return Ok(());
        }
        Err(error)
    }

    /// Waits before a stream is opened again: the longer, the more have ended soon.
    async fn wait(&mut self) {
        if self.failures == 0 && self.opened.is_none() {
            return;
        }
        let pause = Duration::from_millis(100).saturating_mul(1 << self.failures.min(5));
        let pause = jittered(pause.min(LONGEST_PAUSE));
        sleep(pause.max(std::mem::take(&mut self.least))).await;
    }
}

impl Client {
    /// What has changed in a friend list since a version (0 for the whole list), and then every change as it
    /// happens. [`FriendList::apply`](crate::FriendList::apply) brings a copy up to date with each message.
    ///
    /// The stream goes on by itself, from the last version, when the service stops, when the connection is lost and
    /// when the token expires, as long as it takes. It ends with an error that waiting does not mend, such as
    /// USER_NOT_FOUND. If the list was set back (VERSION_AHEAD), the next message has the whole list, with
    /// `full_resync`.
    pub fn watch_friends(
        &self,
        owner: &str,
        since_version: i64,
    ) -> impl Stream<Item = Result<WatchFriendsResponse, Error>> + use<> {
        watch(self.clone(), owner.to_owned(), since_version)
    }

    /// The same for a block list; see [`Client::watch_friends`].
    pub fn watch_blocks(
        &self,
        owner: &str,
        since_version: i64,
    ) -> impl Stream<Item = Result<WatchBlocksResponse, Error>> + use<> {
        watch(self.clone(), owner.to_owned(), since_version)
    }
}

fn watch<M: Message>(
    client: Client,
    owner: String,
    version: i64,
) -> impl Stream<Item = Result<M, Error>> + use<M> {
    let watch = Watch {
        client,
        owner,
        version,
        anew: false,
        open: None,
        opened: None,
        failures: 0,
        least: Duration::ZERO,
    };
    Box::pin(stream::try_unfold(watch, |mut watch| async move {
        let message = watch.next().await?;
        Ok(Some((message, watch)))
    }))
}
