package befriend

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	befriendv1 "befriend/v1"
)

const (
	// longestPause is the longest pause before a watch is opened again.
	longestPause = 30 * time.Second
	// quick: streams that end within this time are opened ever more slowly, even if they bring messages.
	quick = time.Second
)

// receiver is a stream that is open.
type receiver[M any] interface{ Recv() (M, error) }

// watch goes on by itself.
type watch[M interface{ GetNextVersion() int64 }] struct {
	// ctx ends with the caller's, with the iterator, and with the client.
	ctx     context.Context
	closed  context.Context
	version int64
	// connect opens a stream from a version on.
	connect func(ctx context.Context, since int64) (receiver[M], error)
	// setFullResync says in a message that it begins the list anew.
	setFullResync func(M)

	stream receiver[M]
	// anew: the next message begins the list anew, whatever it says.
	anew bool
	// opened is when the last stream was opened.
	opened time.Time
	// received: the last stream brought a message.
	received bool
	// failures is how many streams in a row brought no message or ended at once, and atLeast what the service then
	// asked for.
	failures int
	atLeast  time.Duration
	// renewed: since the last message a stream ended because its token was refused.
	renewed bool
}

func (w *watch[M]) next() (message M, more bool, err error) {
	for {
		message, err := w.step()
		if err == nil {
			w.received, w.renewed = true, false
			w.version = message.GetNextVersion()
			if w.anew {
				w.anew = false
				w.setFullResync(message)
			}
			return message, true, nil
		}
		w.stream = nil
		if w.closed.Err() != nil {
			return message, false, readError(status.Error(codes.Canceled, "the client is closed"))
		}
		// At the stream's end the service stops, or the longest time of a watch is over.
		if err != io.EOF && !w.goesOn(readError(err)) {
			return message, false, err
		}
		w.failures++
		if w.received && time.Since(w.opened) >= quick {
			w.failures = 0
		}
	}
}

// step waits for the next message of the stream that is open, or of a new one.
func (w *watch[M]) step() (message M, err error) {
	if w.stream == nil {
		if err := w.pause(); err != nil {
			return message, readError(err)
		}
		w.opened, w.received = time.Now(), false
		if w.stream, err = w.connect(w.ctx, w.version); err != nil {
			return message, err
		}
	}
	return w.stream.Recv()
}

func (w *watch[M]) goesOn(failed *Error) bool {
	if w.ctx.Err() != nil {
		return false
	}
	w.atLeast = failed.RetryAfter
	switch failed.Reason {
	case befriendv1.ErrorReason_ERROR_REASON_WATCHER_TOO_SLOW,
		befriendv1.ErrorReason_ERROR_REASON_UNAVAILABLE,
		befriendv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED,
		befriendv1.ErrorReason_ERROR_REASON_CONFLICT,
		befriendv1.ErrorReason_ERROR_REASON_RATE_LIMITED:
		return true
	case befriendv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED:
		// Each stream is opened with a token that is valid, and outlives it.
		first := !w.renewed
		w.renewed = true
		return first
	case befriendv1.ErrorReason_ERROR_REASON_VERSION_AHEAD:
		if w.version == 0 {
			return false
		}
		w.version, w.anew = 0, true
		return true
	case befriendv1.ErrorReason_ERROR_REASON_UNSPECIFIED:
		// What is in between, or the connection itself.
		switch failed.Code {
		case codes.Unavailable, codes.Unknown, codes.Canceled, codes.Internal, codes.DeadlineExceeded:
			return true
		}
	}
	return false
}

// pause waits before a stream is opened again: the longer, the more have failed in a row. A part is drawn at random,
// because a service that stops ends the watches of all its clients at once.
func (w *watch[M]) pause() error {
	if w.opened.IsZero() {
		return w.ctx.Err()
	}
	full := longestPause
	if w.failures < 9 {
		full = 100 * time.Millisecond << w.failures
	}
	pause := w.atLeast + drawn(full)
	w.atLeast = 0
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-w.closed.Done():
		return w.closed.Err()
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// iterate walks over the messages of the watch.
func (w *watch[M]) iterate(ctx context.Context, client *Client) *Iterator[M] {
	var stop context.CancelFunc
	w.ctx, stop = context.WithCancel(ctx)
	w.closed = client.closed
	return &Iterator[M]{stop: stop, next: func() (M, bool, error) {
		message, more, err := w.next()
		if err != nil {
			stop()
		}
		return message, more, err
	}}
}

// WatchFriends walks over what has changed in a friend list since a version (0 for the whole list), and then over
// every change as it happens. FriendList.Apply brings a copy up to date with each message.
//
// The watch goes on by itself, from the last version, when the service stops, when the connection is lost and when
// the token expires, as long as it takes. It ends with its context, with Iterator.Close, with Client.Close, and with
// an error that waiting does not mend, such as USER_NOT_FOUND. Whoever stops reading before calls Iterator.Close. If
// the list was set back (VERSION_AHEAD), the next message has the whole list, with full_resync.
func (c *Client) WatchFriends(ctx context.Context, owner string, since int64) *Iterator[*befriendv1.WatchFriendsResponse] {
	w := &watch[*befriendv1.WatchFriendsResponse]{
		version: since,
		connect: func(ctx context.Context, since int64) (receiver[*befriendv1.WatchFriendsResponse], error) {
			return c.Friends.WatchFriends(ctx, &befriendv1.WatchFriendsRequest{Owner: owner, SinceVersion: since})
		},
		setFullResync: func(message *befriendv1.WatchFriendsResponse) { message.FullResync = true },
	}
	return w.iterate(ctx, c)
}

// WatchBlocks does the same for a block list; see WatchFriends.
func (c *Client) WatchBlocks(ctx context.Context, owner string, since int64) *Iterator[*befriendv1.WatchBlocksResponse] {
	w := &watch[*befriendv1.WatchBlocksResponse]{
		version: since,
		connect: func(ctx context.Context, since int64) (receiver[*befriendv1.WatchBlocksResponse], error) {
			return c.Blocks.WatchBlocks(ctx, &befriendv1.WatchBlocksRequest{Owner: owner, SinceVersion: since})
		},
		setFullResync: func(message *befriendv1.WatchBlocksResponse) { message.FullResync = true },
	}
	return w.iterate(ctx, c)
}
