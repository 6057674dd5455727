package befriend_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"befriend"
	befriendv1 "befriend/v1"
)

// The habits of calls, against a server that stands in for the service.

var (
	unavailable     = failure(codes.Unavailable, "UNAVAILABLE", 0)
	conflict        = failure(codes.Aborted, "CONFLICT", 0)
	limited         = failure(codes.ResourceExhausted, "RATE_LIMITED", time.Millisecond)
	full            = failure(codes.ResourceExhausted, "FRIEND_LIMIT_EXCEEDED", 0)
	unauthenticated = failure(codes.Unauthenticated, "UNAUTHENTICATED", 0)
)

// add may be repeated, and send may not.
func add(ctx context.Context, client *befriend.Client) error {
	_, err := client.Friends.AddFriend(ctx, &befriendv1.AddFriendRequest{})
	return err
}

func send(ctx context.Context, client *befriend.Client) error {
	_, err := client.Friends.SendFriendRequest(ctx, &befriendv1.SendFriendRequestRequest{})
	return err
}

func TestACallIsMadeAgainWhereThatDoesNoHarm(t *testing.T) {
	type make = func(context.Context, *befriend.Client) error
	for name, c := range map[string]struct {
		make     make
		failures []error
		reason   string
		made     int
	}{
		"one that may be repeated, after UNAVAILABLE":  {add, []error{unavailable, unavailable}, "", 3},
		"one that may not, after UNAVAILABLE":          {send, []error{unavailable}, "UNAVAILABLE", 1},
		"one that may not, after CONFLICT":             {send, []error{conflict, conflict}, "", 3},
		"one that may not, after RATE_LIMITED":         {send, []error{limited, conflict, limited}, "", 4},
		"a full list":                                  {add, []error{full}, "FRIEND_LIMIT_EXCEEDED", 1},
		"as often as is allowed":                       {add, []error{conflict, conflict, conflict, conflict, unavailable, conflict}, "UNAVAILABLE", 5},
		"a token that is refused, once":                {send, []error{unauthenticated}, "", 2},
		"a token that is refused, twice":               {send, []error{unauthenticated, unauthenticated}, "UNAUTHENTICATED", 2},
		"a token that is refused, beside other causes": {send, []error{conflict, conflict, unauthenticated, conflict, conflict}, "", 6},
	} {
		s, client := newStandIn(t, befriend.Options{}, c.failures...)
		err := c.make(background, client)
		reason := befriendv1.ErrorReason(befriendv1.ErrorReason_value["ERROR_REASON_"+c.reason])
		if (err == nil) != (c.reason == "") || befriend.ReasonOf(err) != reason || len(s.calls) != c.made {
			t.Errorf("%s: %v after %d calls", name, err, len(s.calls))
		}
	}
}

func TestAPauseIsAsLongAsTheServiceAsksFor(t *testing.T) {
	long := failure(codes.ResourceExhausted, "RATE_LIMITED", 150*time.Millisecond)
	_, client := newStandIn(t, befriend.Options{}, long)
	begin := time.Now()
	same(t, send(background, client), nil)
	if took := time.Since(begin); took < 150*time.Millisecond {
		t.Errorf("it took %s", took)
	}

	tooLong := failure(codes.ResourceExhausted, "RATE_LIMITED", time.Hour)
	s, client := newStandIn(t, befriend.Options{}, tooLong)
	err := send(background, client)
	var failed *befriend.Error
	same(t, errors.As(err, &failed), true)
	same(t, failed.RetryAfter, time.Hour)
	same(t, len(s.calls), 1)
}

func TestWhatWasNotSentIsSentAgain(t *testing.T) {
	s := &standIn{dials: 2}
	// As often as it takes until grpc has dialled three times.
	client := s.start(t, befriend.Options{Token: "fixed", Attempts: 1000})
	same(t, send(background, client), nil)
	same(t, len(s.calls), 1)
}

func TestWhatWasSentOnABrokenConnectionIsSentAgainIfItMayBeRepeated(t *testing.T) {
	for made, make := range map[int]func(context.Context, *befriend.Client) error{1: send, 2: add} {
		s, client := newStandIn(t, befriend.Options{Token: "fixed"})
		once := sync.Once{}
		s.cut = func() { once.Do(s.cutConnections) }
		err := make(background, client)
		var failed *befriend.Error
		if made == 1 {
			same(t, errors.As(err, &failed), true)
			same(t, failed.Code, codes.Unavailable)
			same(t, failed.Reason, befriendv1.ErrorReason_ERROR_REASON_UNSPECIFIED)
		} else {
			same(t, err, nil)
		}
		s.mutex.Lock()
		same(t, len(s.calls), made)
		s.mutex.Unlock()
	}
}

func TestACallHasADeadlineAndOneToken(t *testing.T) {
	s, client := newStandIn(t, befriend.Options{})
	var all sync.WaitGroup
	for i := 0; i < 20; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			if err := add(background, client); err != nil {
				t.Error(err)
			}
		}()
	}
	all.Wait()
	same(t, s.issued, 1)
	for _, call := range s.calls {
		same(t, call.token, "Bearer token-1")
		if call.left <= 0 || call.left > 10*time.Second {
			t.Errorf("it has %s", call.left)
		}
	}

	s, client = newStandIn(t, befriend.Options{Timeout: time.Minute})
	s.life = 0
	same(t, add(background, client), nil)
	same(t, add(background, client), nil)
	same(t, []string{s.calls[0].token, s.calls[1].token}, []string{"Bearer token-1", "Bearer token-2"})
	if s.calls[0].left < 30*time.Second {
		t.Errorf("it has %s", s.calls[0].left)
	}
}

func TestAWatchGoesOnFromTheLastVersion(t *testing.T) {
	s, client := newStandIn(t, befriend.Options{}, nil, unavailable, unauthenticated, failure(codes.NotFound, "USER_NOT_FOUND", 0))
	watch := client.WatchFriends(background, "alice", 7)
	var versions []int64
	for len(versions) < 10 && watch.Next() {
		versions = append(versions, watch.Value().GetNextVersion())
	}
	same(t, befriend.ReasonOf(watch.Err()), befriendv1.ErrorReason_ERROR_REASON_USER_NOT_FOUND)
	same(t, versions, []int64{8, 9, 10, 11})
	same(t, s.watched, []int64{7, 7, 8, 9, 10})
	for i, call := range s.calls {
		same(t, []interface{}{i, call.left}, []interface{}{i, time.Duration(0)})
	}
}

func TestAnAddressHasAPort(t *testing.T) {
	for _, wrong := range []string{"", "befriend.example", "ftp://befriend.example:1:2", "https://"} {
		if _, err := befriend.New(wrong, befriend.Options{}); err == nil {
			t.Errorf("%q is an address", wrong)
		}
	}
	if _, err := befriend.New("127.0.0.1:1", befriend.Options{ClientID: "a", Token: "b"}); err == nil {
		t.Error("a client has both a token and credentials")
	}
}

func TestAStreamIsOpenedAgainAsLongAsNothingHasCome(t *testing.T) {
	s, client := newStandIn(t, befriend.Options{}, unavailable)
	stream := must[befriendv1.FriendService_WatchFriendsClient](t)(
		client.Friends.WatchFriends(background, &befriendv1.WatchFriendsRequest{SinceVersion: 7}))
	message := must[*befriendv1.WatchFriendsResponse](t)(stream.Recv())
	same(t, message.GetNextVersion(), int64(8))
	same(t, s.watched, []int64{7, 7})
	_, err := stream.Recv()
	same(t, befriend.ReasonOf(err), befriendv1.ErrorReason_ERROR_REASON_UNAVAILABLE)
	same(t, len(s.watched), 2)
}
