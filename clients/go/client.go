// Package befriend is the client of befriend, a self-hosted service for friends, remarks and block lists.
//
//	client, err := befriend.New("127.0.0.1:50051", befriend.Options{ClientID: "…", ClientSecret: "…"})
//	…
//	defer client.Close()
//	added, err := client.Friends.AddFriend(ctx, &befriendv1.AddFriendRequest{Owner: "alice", Friend: "bob"})
//
// Every call that is made through a Client has a deadline, shows a token, is made again where that can do no harm,
// and fails with an *Error.
package befriend

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	befriendv1 "befriend/v1"
)

// Options say who calls, and how long and how often a call is made. The zero value is a caller without a token.
type Options struct {
	// ClientID and ClientSecret are an app's credentials. The client gets tokens for them, renews each before it
	// expires, and once more when the service refuses it.
	ClientID, ClientSecret string
	// Token is shown with all calls, and never renewed: an operator's or an app's.
	Token string
	// TLS is for https; nil trusts the certificate authorities of the system.
	TLS *tls.Config
	// Timeout is how long a call may take, all tries together, whose context has no deadline: 10 s if it is 0.
	// Watches have no such limit.
	Timeout time.Duration
	// Attempts is how often a call is made in all: 5 times if it is 0. With 1 no call is made again.
	Attempts int
	// FirstPause is the pause before the second try: 100 ms if it is 0. The next ones are longer, up to twenty
	// times as long.
	FirstPause time.Duration
	// DialOptions are further options of the connection. Interceptors see each try of a call.
	DialOptions []grpc.DialOption
}

// Client is a client of one app, or of an operator. Goroutines may share it: it has one connection and one token.
type Client struct {
	// Friends has friend lists and friend requests.
	Friends befriendv1.FriendServiceClient
	// Blocks has block lists.
	Blocks befriendv1.BlockServiceClient
	// Relations answers "may A write to B?".
	Relations befriendv1.RelationServiceClient
	// Users has accounts.
	Users befriendv1.UserServiceClient
	// Tokens is needed only to revoke a token: the client gets its own.
	Tokens befriendv1.TokenServiceClient
	// Events has the events of an app, and what became of them. For the operator.
	Events befriendv1.EventServiceClient
	// Apps is for the operator.
	Apps befriendv1.AppServiceClient
	// CallbackRules is for the operator.
	CallbackRules befriendv1.CallbackRuleServiceClient
	// Audit is for the operator.
	Audit befriendv1.AuditServiceClient
	// OperatorTokens is for the operator.
	OperatorTokens befriendv1.OperatorTokenServiceClient

	conn *grpc.ClientConn
	// closed ends what would else go on without the connection.
	closed context.Context
	close  context.CancelFunc
}

// New makes a client of the service at an address: "host:port" or "http://host:port", or "https://host:port" for
// TLS. It connects in the background, and again whenever the connection is lost. An error says that the address
// or the options can't be used.
func New(address string, options Options) (*Client, error) {
	target, secure, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	if options.Token != "" && options.ClientID != "" {
		return nil, fmt.Errorf("befriend: a client has either a token or an app's credentials")
	}
	habits := newHabits(options)
	dial := []grpc.DialOption{
		grpc.WithDisableServiceConfig(),
		// The connection is tried more often than a call, so that each try of a call finds how things are.
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff: backoff.Config{
				BaseDelay: habits.firstPause / 2, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 10 * habits.firstPause,
			},
			MinConnectTimeout: 3 * time.Second,
		}),
		// The service, or a proxy before it, may have forgotten an idle connection.
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 30 * time.Second, Timeout: 5 * time.Second}),
		grpc.WithChainUnaryInterceptor(habits.unary),
		grpc.WithChainStreamInterceptor(habits.stream),
	}
	if secure {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if options.TLS != nil {
			config = options.TLS
		}
		dial = append(dial, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	} else {
		// The newer name of this is not there in the oldest version of grpc that the client works with.
		dial = append(dial, grpc.WithInsecure())
	}
	// The name is resolved by each dial, not by grpc's resolver, which keeps what it has found for half a minute.
	conn, err := grpc.Dial("passthrough:///"+target, append(dial, options.DialOptions...)...)
	if err != nil {
		return nil, fmt.Errorf("befriend: %w", err)
	}
	habits.tokens.issuer = befriendv1.NewTokenServiceClient(conn)
	closed, cancel := context.WithCancel(context.Background())
	return &Client{
		closed:         closed,
		close:          cancel,
		Friends:        befriendv1.NewFriendServiceClient(conn),
		Blocks:         befriendv1.NewBlockServiceClient(conn),
		Relations:      befriendv1.NewRelationServiceClient(conn),
		Users:          befriendv1.NewUserServiceClient(conn),
		Tokens:         befriendv1.NewTokenServiceClient(conn),
		Events:         befriendv1.NewEventServiceClient(conn),
		Apps:           befriendv1.NewAppServiceClient(conn),
		CallbackRules:  befriendv1.NewCallbackRuleServiceClient(conn),
		Audit:          befriendv1.NewAuditServiceClient(conn),
		OperatorTokens: befriendv1.NewOperatorTokenServiceClient(conn),
		conn:           conn,
	}, nil
}

// Close ends the connection. Calls that are under way fail, and watches end with an error.
func (c *Client) Close() error {
	c.close()
	return c.conn.Close()
}

func parseAddress(address string) (target string, secure bool, err error) {
	target = strings.TrimSuffix(address, "/")
	if rest := strings.TrimPrefix(target, "https://"); rest != target {
		target, secure = rest, true
	} else {
		target = strings.TrimPrefix(target, "http://")
	}
	_, port, err := net.SplitHostPort(target)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", false, fmt.Errorf("befriend: %q is no address such as 127.0.0.1:50051 or https://befriend.example:443", address)
	}
	return target, secure, nil
}
