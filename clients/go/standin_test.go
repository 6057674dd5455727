package befriend_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"befriend"
	befriendv1 "befriend/v1"
)

// standIn stands in for the service, and fails as it is told.
type standIn struct {
	befriendv1.UnimplementedFriendServiceServer
	befriendv1.UnimplementedTokenServiceServer

	mutex sync.Mutex
	// failures are the answers to the next calls; then calls succeed.
	failures []error
	// calls has the token and the time left of each call but IssueToken.
	calls []seen
	// issued is how many tokens were issued, each valid for life.
	issued int
	life   time.Duration
	// watched has the since_version of each watch; cut is called in each call.
	watched []int64
	cut     func()
	// connections are the client's; so many dials fail.
	connections []net.Conn
	dials       int
	address     string
}

type seen struct {
	token string
	left  time.Duration
}

// newStandIn starts a stand-in, and returns a client of it.
func newStandIn(t *testing.T, options befriend.Options, failures ...error) (*standIn, *befriend.Client) {
	t.Helper()
	s := &standIn{failures: failures, life: time.Hour}
	return s, s.start(t, options)
}

// start starts the stand-in, and returns a client, which connects at once.
func (s *standIn) start(t *testing.T, options befriend.Options) *befriend.Client {
	t.Helper()
	listener := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	s.address = listener.Addr().String()
	server := grpc.NewServer()
	befriendv1.RegisterFriendServiceServer(server, s)
	befriendv1.RegisterTokenServiceServer(server, s)
	go server.Serve(listener)
	t.Cleanup(server.Stop)
	if options.Token == "" {
		options.ClientID, options.ClientSecret = "bfc_id", "bfs_secret"
	}
	if options.FirstPause == 0 {
		options.FirstPause = time.Millisecond
	}
	options.DialOptions = []grpc.DialOption{grpc.WithContextDialer(s.dial)}
	client := must[*befriend.Client](t)(befriend.New(s.address, options))
	t.Cleanup(func() { client.Close() })
	return client
}

func (s *standIn) dial(ctx context.Context, address string) (net.Conn, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.dials > 0 {
		s.dials--
		return nil, &net.OpError{Op: "dial", Err: context.Canceled}
	}
	made, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	s.connections = append(s.connections, made)
	return made, err
}

// cutConnections ends all connections, as a machine does that loses its power.
func (s *standIn) cutConnections() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, connection := range s.connections {
		connection.Close()
	}
	s.connections = nil
}

func (s *standIn) answer(ctx context.Context) error {
	s.mutex.Lock()
	call := seen{}
	headers, _ := metadata.FromIncomingContext(ctx)
	for _, token := range headers.Get("authorization") {
		call.token += token
	}
	if deadline, has := ctx.Deadline(); has {
		call.left = time.Until(deadline)
	}
	s.calls = append(s.calls, call)
	var failure error
	if len(s.failures) > 0 {
		failure, s.failures = s.failures[0], s.failures[1:]
	}
	cut := s.cut
	s.mutex.Unlock()
	if cut != nil {
		cut()
	}
	return failure
}

func (s *standIn) AddFriend(ctx context.Context, _ *befriendv1.AddFriendRequest) (*befriendv1.AddFriendResponse, error) {
	return &befriendv1.AddFriendResponse{}, s.answer(ctx)
}

func (s *standIn) SendFriendRequest(ctx context.Context, _ *befriendv1.SendFriendRequestRequest) (*befriendv1.SendFriendRequestResponse, error) {
	return &befriendv1.SendFriendRequestResponse{}, s.answer(ctx)
}

func (s *standIn) IssueToken(_ context.Context, request *befriendv1.IssueTokenRequest) (*befriendv1.IssueTokenResponse, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.issued++
	if request.GetClientId() != "bfc_id" || request.GetClientSecret() != "bfs_secret" {
		return nil, failure(codes.Unauthenticated, "INVALID_CREDENTIALS", 0)
	}
	token := "token-" + string(rune('0'+s.issued))
	return &befriendv1.IssueTokenResponse{AccessToken: token, ExpiresIn: durationpb.New(s.life)}, nil
}

// WatchFriends sends one message, whose version is one higher, and ends as it is told.
func (s *standIn) WatchFriends(request *befriendv1.WatchFriendsRequest, stream befriendv1.FriendService_WatchFriendsServer) error {
	s.mutex.Lock()
	s.watched = append(s.watched, request.GetSinceVersion())
	first := len(s.watched) == 1
	s.mutex.Unlock()
	if first {
		// Before any message.
		return failure(codes.Unavailable, "UNAVAILABLE", 0)
	}
	message := &befriendv1.WatchFriendsResponse{NextVersion: request.GetSinceVersion() + 1}
	if err := stream.Send(message); err != nil {
		return err
	}
	return s.answer(stream.Context())
}

// failure makes an error as the service does: with ErrorInfo, and RetryInfo if the delay is not 0.
func failure(code codes.Code, reason string, delay time.Duration) error {
	made := status.New(code, "it failed").Proto()
	info := protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), reason)
	info = protowire.AppendString(protowire.AppendTag(info, 2, protowire.BytesType), "befriend.v1")
	made.Details = append(made.Details, &anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.ErrorInfo", Value: info})
	if delay > 0 {
		span := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(delay/time.Second))
		span = protowire.AppendVarint(protowire.AppendTag(span, 2, protowire.VarintType), uint64(delay%time.Second))
		value := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), span)
		made.Details = append(made.Details, &anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.RetryInfo", Value: value})
	}
	return status.ErrorProto(made)
}
