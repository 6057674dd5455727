package befriend

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc/codes"

	befriendv1 "befriend/v1"
)

const (
	// longestPause is the longest pause before a watch is opened again.
	longestPause = 30 * time.Second
	// quick: of two streams that were opened within this time the second waits.
	quick = time.Second
)

// receiver is a stream that is open.
type receiver[M any] interface{ Recv() (M, error) }

// watch goes on by itself.
type watch[M interface{ GetNextVersion() int64 }] struct {
	ctx     context.Context
	version int64
	// connect opens a stream from a version on.
	connect func(since int64) (receiver[M], error)
	// setFullResync says in a message that it begins the list anew.
	setFullResync func(M)

	stream receiver[M]
	// anew: the next message begins the list anew, whatever it says.
	anew bool
	// opened is when the last stream was opened.
	opened time.Time
	// failures is how many openings in a row brought no message, and atLeast what the service then asked for.
	failures int
	atLeast  time.Duration
}

func (w *watch[M]) next() (message M, more bool, err error) {
	for {
		message, err := w.step()
		if err == nil {
			w.failures = 0
			w.version = message.GetNextVersion()
			if w.anew {
				w.anew = false
				w.setFullResync(message)
			}
			return message, true, nil
		}
		w.stream = nil
		// At the stream's end the service stops, or the longest time of a watch is over.
		if err != io.EOF && !w.goesOn(readError(err)) {
			return message, false, err
		}
	}
}

// step waits for the next message of the stream that is open, or of a new one.
func (w *watch[M]) step() (message M, err error) {
	if w.stream == nil {
		if err := w.pause(); err != nil {
			return message, readError(err)
		}
		w.opened = time.Now()
		if w.stream, err = w.connect(w.version); err != nil {
			return message, err
		}
	}
	return w.stream.Recv()
}

func (w *watch[M]) goesOn(failed *Error) bool {
	if w.ctx.Err() != nil {
		return false
	}
	first := w.failures == 0
	w.failures++
	w.atLeast = failed.RetryAfter
	switch failed.Reason {
	case befriendv1.ErrorReason_ERROR_REASON_WATCHER_TOO_SLOW,
		befriendv1.ErrorReason_ERROR_REASON_UNAVAILABLE,
		befriendv1.ErrorReason_ERROR_REASON_CONFLICT,
		befriendv1.ErrorReason_ERROR_REASON_RATE_LIMITED:
		return true
	case befriendv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED:
		// Each stream is opened with a token that is valid, and outlives it.
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
		case codes.Unavailable, codes.Unknown, codes.Canceled, codes.Internal:
			return true
		}
	}
	return false
}

// pause waits if the last stream was opened a moment ago: the longer, the more have failed in a row.
func (w *watch[M]) pause() error {
	if w.opened.IsZero() || w.failures == 0 && time.Since(w.opened) >= quick {
		return w.ctx.Err()
	}
	pause := longestPause
	if w.failures < 9 {
		pause = 100 * time.Millisecond << w.failures
	}
	if pause > longestPause {
		pause = longestPause
	}
	if pause < w.atLeast {
		pause = w.atLeast
	}
	w.atLeast = 0
	return wait(w.ctx, pause)
}

// WatchFriends walks over what has changed in a friend list since a version (0 for the whole list), and then over
// every change as it happens. FriendList.Apply brings a copy up to date with each message.
//
// The watch goes on by itself, from the last version, when the service stops, when the connection is lost and when
// the token expires, as long as it takes. It ends with its context, and with an error that waiting does not mend,
// such as USER_NOT_FOUND. If the list was set back (VERSION_AHEAD), the next message has the whole list, with
// full_resync.
func (c *Client) WatchFriends(ctx context.Context, owner string, since int64) *Iterator[*befriendv1.WatchFriendsResponse] {
	w := &watch[*befriendv1.WatchFriendsResponse]{
		ctx:     ctx,
		version: since,
		connect: func(since int64) (receiver[*befriendv1.WatchFriendsResponse], error) {
			return c.Friends.WatchFriends(ctx, &befriendv1.WatchFriendsRequest{Owner: owner, SinceVersion: since})
		},
		setFullResync: func(message *befriendv1.WatchFriendsResponse) { message.FullResync = true },
	}
	return &Iterator[*befriendv1.WatchFriendsResponse]{next: w.next}
}

// WatchBlocks does the same for a block list; see WatchFriends.
func (c *Client) WatchBlocks(ctx context.Context, owner string, since int64) *Iterator[*befriendv1.WatchBlocksResponse] {
	w := &watch[*befriendv1.WatchBlocksResponse]{
		ctx:     ctx,
		version: since,
		connect: func(since int64) (receiver[*befriendv1.WatchBlocksResponse], error) {
			return c.Blocks.WatchBlocks(ctx, &befriendv1.WatchBlocksRequest{Owner: owner, SinceVersion: since})
		},
		setFullResync: func(message *befriendv1.WatchBlocksResponse) { message.FullResync = true },
	}
	return &Iterator[*befriendv1.WatchBlocksResponse]{next: w.next}
}
