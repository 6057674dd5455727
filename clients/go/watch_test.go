package befriend_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"befriend"
	befriendv1 "befriend/v1"
)

// How watches go on and end, against a server that stands in for the service.

func TestAWatchGoesOnAfterDeadlinesEverMoreSlowly(t *testing.T) {
	s, client := newStandIn(t, befriend.Options{},
		failure(codes.DeadlineExceeded, "DEADLINE_EXCEEDED", 0),
		status.Error(codes.DeadlineExceeded, "a proxy's"),
		failure(codes.Unavailable, "OF_A_NEWER_SERVICE", 0),
		failure(codes.NotFound, "USER_NOT_FOUND", 0))
	begin := time.Now()
	watch := client.WatchFriends(background, "alice", 7)
	messages, err := watch.All()
	same(t, befriend.ReasonOf(err), befriendv1.ErrorReason_ERROR_REASON_USER_NOT_FOUND)
	same(t, len(messages), 4)
	same(t, s.watched, []int64{7, 7, 8, 9, 10})
	// Though each stream brings a message: 200, 400 and 800 ms, or at least half of each.
	if took := time.Since(begin); took < 700*time.Millisecond {
		t.Errorf("it took %s", took)
	}
}

func TestAWatchEndsWithItsIteratorItsContextAndItsClient(t *testing.T) {
	type watch = *befriend.Iterator[*befriendv1.WatchFriendsResponse]
	for name, end := range map[string]func(*befriend.Client, watch, context.CancelFunc){
		"the iterator": func(_ *befriend.Client, watch watch, _ context.CancelFunc) { watch.Close() },
		"the client":   func(client *befriend.Client, _ watch, _ context.CancelFunc) { client.Close() },
		"the context":  func(_ *befriend.Client, _ watch, cancel context.CancelFunc) { cancel() },
	} {
		for _, waits := range []bool{true, false} {
			s, client := newStandIn(t, befriend.Options{})
			ctx, cancel := context.WithCancel(background)
			open := make(chan struct{})
			arrived := make(chan struct{}, 1)
			s.cut = func() {
				arrived <- struct{}{}
				<-open
			}
			watch := client.WatchFriends(ctx, "alice", 7)
			same(t, watch.Next(), true)
			<-arrived
			if waits {
				// While Next waits, or just before.
				go end(client, watch, cancel)
			} else {
				end(client, watch, cancel)
			}
			if watch.Next() || watch.Next() || !errors.Is(watch.Err(), context.Canceled) {
				t.Errorf("%s: the watch has ended with %v", name, watch.Err())
			}
			close(open)
			cancel()
			same(t, s.watched, []int64{7, 7})
		}
	}
}

func TestAPauseOfAWatchEndsWithTheClient(t *testing.T) {
	_, client := newStandIn(t, befriend.Options{}, failure(codes.Unavailable, "UNAVAILABLE", time.Hour))
	watch := client.WatchFriends(background, "alice", 7)
	same(t, watch.Next(), true)
	ended := make(chan error)
	go func() {
		watch.Next()
		ended <- watch.Err()
	}()
	client.Close()
	same(t, errors.Is(<-ended, context.Canceled), true)
}
