package befriend

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	befriendv1 "befriend/v1"
)

// habits are what all calls have: a deadline, a token, and further tries that can do no harm.
type habits struct {
	tokens     *tokens
	timeout    time.Duration
	attempts   int
	firstPause time.Duration
}

func newHabits(options Options) *habits {
	h := &habits{newTokens(options), options.Timeout, options.Attempts, options.FirstPause}
	if h.timeout <= 0 {
		h.timeout = 10 * time.Second
	}
	if h.attempts <= 0 {
		h.attempts = 5
	}
	if h.firstPause <= 0 {
		h.firstPause = 100 * time.Millisecond
	}
	return h
}

// call is one call of somebody, with all its tries.
type call struct {
	*habits
	method
	made    int
	renewed bool
}

// try is what is known of one try of a call that failed.
type try struct {
	err error
	// token is what it was made with.
	token string
	// unsent tells that the service has certainly not got it.
	unsent bool
	// final tells that no further try is made.
	final bool
}

// unary makes a call with one response.
func (h *habits) unary(ctx context.Context, path string, request, response interface{}, conn *grpc.ClientConn,
	invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if _, has := ctx.Deadline(); !has {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, h.timeout)
		defer cancel()
	}
	c := &call{habits: h, method: methods[path]}
	if ctx.Value(issuing{}) != nil {
		// A second token does no harm: nobody has the first.
		c.repeatable = true
	}
	for {
		t := c.attempt(ctx, func(ctx context.Context) (sent bool, err error) {
			var from peer.Peer
			err = invoke(ctx, path, request, response, conn, append(options[:len(options):len(options)], grpc.Peer(&from))...)
			// grpc has a peer as soon as a connection has taken the call.
			return from.Addr != nil, err
		})
		if t.err == nil {
			return nil
		}
		if err := c.after(ctx, t); err != nil {
			return err
		}
	}
}

// attempt makes one try, with a token.
func (c *call) attempt(ctx context.Context, once func(context.Context) (sent bool, err error)) try {
	token := ""
	if !c.open {
		var err error
		if token, err = c.tokens.get(ctx); err != nil {
			// It was tried often enough.
			return try{err: err, final: true}
		}
	}
	if token != "" {
		headers, _ := metadata.FromOutgoingContext(ctx)
		headers = headers.Copy()
		headers.Set("authorization", "Bearer "+token)
		ctx = metadata.NewOutgoingContext(ctx, headers)
	}
	sent, err := once(ctx)
	return try{err: err, token: token, unsent: !sent}
}

// after waits until the call may be made again, and returns nil; or the error, if it may not.
func (c *call) after(ctx context.Context, t try) error {
	failed := readError(t.err)
	c.made++
	if t.final {
		return failed
	}
	if failed.Reason == befriendv1.ErrorReason_ERROR_REASON_UNAUTHENTICATED && !c.open && !c.renewed {
		// The token was revoked, or the service was set back. At once, and as often as otherwise besides.
		c.renewed = true
		c.made--
		if c.tokens.refused(ctx, t.token) {
			return nil
		}
		return failed
	}
	if c.made >= c.attempts || !c.mayRepeat(failed, t.unsent) {
		return failed
	}
	pause := c.pause()
	if pause < failed.RetryAfter {
		pause = failed.RetryAfter
	}
	// A pause that the deadline would end tells the caller less than the answer does.
	if deadline, has := ctx.Deadline(); has && time.Now().Add(pause).After(deadline) {
		return failed
	}
	if wait(ctx, pause) != nil {
		return failed
	}
	return nil
}

func (c *call) mayRepeat(failed *Error, unsent bool) bool {
	switch {
	case failed.Code == codes.Unavailable:
		// What it ends may have happened.
		return c.repeatable || unsent
	case failed.Reason == befriendv1.ErrorReason_ERROR_REASON_CONFLICT,
		failed.Reason == befriendv1.ErrorReason_ERROR_REASON_RATE_LIMITED:
		// The service says that nothing has happened.
		return true
	}
	return false
}

// pause grows with each try, and is drawn at random, so that clients that failed together do not come back
// together.
func (c *call) pause() time.Duration {
	full := 20 * c.firstPause
	if doubled := c.made - 1; doubled < 5 && c.firstPause<<doubled < full {
		full = c.firstPause << doubled
	}
	return drawn(full)
}

// drawn returns a pause between half of this one and all of it.
func drawn(full time.Duration) time.Duration {
	var bytes [8]byte
	// Before Go 1.20, math/rand has the same numbers in all processes. Without bytes it is the shortest pause.
	_, _ = rand.Read(bytes[:])
	return full/2 + time.Duration(binary.LittleEndian.Uint64(bytes[:])%uint64(full/2+1))
}

func wait(ctx context.Context, pause time.Duration) error {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stream makes a call with a stream of responses.
func (h *habits) stream(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, path string,
	open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	s := &responses{call: call{habits: h, method: methods[path]}, ctx: ctx}
	s.open = func(ctx context.Context) (grpc.ClientStream, error) {
		return open(ctx, desc, conn, path, options...)
	}
	for {
		t := s.reopen()
		if t.err == nil {
			return s, nil
		}
		if err := s.after(ctx, t); err != nil {
			return nil, err
		}
	}
}

// responses are a stream that is opened again as long as nothing was received, by the rules of all calls.
type responses struct {
	grpc.ClientStream
	call
	ctx      context.Context
	open     func(context.Context) (grpc.ClientStream, error)
	token    string
	request  interface{}
	received bool
}

func (s *responses) reopen() try {
	t := s.attempt(s.ctx, func(ctx context.Context) (bool, error) {
		opened, err := s.open(ctx)
		if err != nil {
			return false, err
		}
		s.ClientStream = opened
		if s.request == nil {
			return true, nil
		}
		if err := opened.SendMsg(s.request); err != nil {
			return true, err
		}
		return true, opened.CloseSend()
	})
	s.token = t.token
	return t
}

// SendMsg sends the request.
func (s *responses) SendMsg(message interface{}) error {
	s.request = message
	return s.ClientStream.SendMsg(message)
}

// RecvMsg waits for the next response; io.EOF tells that the stream has ended well.
func (s *responses) RecvMsg(message interface{}) error {
	err := s.ClientStream.RecvMsg(message)
	for err != nil && err != io.EOF && !s.received {
		for t := (try{err: err, token: s.token}); t.err != nil; t = s.reopen() {
			if failed := s.after(s.ctx, t); failed != nil {
				return failed
			}
		}
		err = s.ClientStream.RecvMsg(message)
	}
	if err == nil {
		s.received = true
		return nil
	}
	if err == io.EOF {
		return io.EOF
	}
	return readError(err)
}
