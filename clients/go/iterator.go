package befriend

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	befriendv1 "befriend/v1"
)

// Iterator walks over what the service sends, one after the other. One goroutine uses it.
//
//	for friends.Next() {
//		fmt.Println(friends.Value().GetUsername())
//	}
//	if err := friends.Err(); err != nil { … }
type Iterator[T any] struct {
	// next returns false after the last one.
	next func() (T, bool, error)
	// stop ends a Next that waits; nil where none waits for long.
	stop  context.CancelFunc
	value T
	err   error
	done  bool
}

// Next goes to the next one, and waits for it. It returns false at the end, and when an error has ended the walk.
func (i *Iterator[T]) Next() bool {
	if i.done {
		return false
	}
	value, more, err := i.next()
	i.value, i.err, i.done = value, err, !more || err != nil
	return !i.done
}

// Close ends a watch, and what it holds; another goroutine may call it while Next waits. Next then returns false, and
// Err a context.Canceled if a Next has found the watch closed.
func (i *Iterator[T]) Close() {
	if i.stop != nil {
		i.stop()
	}
}

// Value returns what Next has gone to.
func (i *Iterator[T]) Value() T {
	return i.value
}

// Err returns what has ended the walk; nil at its end.
func (i *Iterator[T]) Err() error {
	return i.err
}

// All returns all that follow.
func (i *Iterator[T]) All() ([]T, error) {
	var all []T
	for i.Next() {
		all = append(all, i.Value())
	}
	return all, i.Err()
}

// walk is over the entries of all pages. The token is that of the request.
func walk[Q any, P interface{ GetNextPageToken() string }, E any](ctx context.Context,
	list func(context.Context, Q, ...grpc.CallOption) (P, error), request Q, token *string,
	entries func(P) []E) *Iterator[E] {
	var read []E
	last := false
	return &Iterator[E]{next: func() (entry E, more bool, err error) {
		// A page may be empty though others follow.
		for len(read) == 0 {
			if last {
				return entry, false, nil
			}
			page, err := list(ctx, request)
			if err != nil {
				return entry, false, err
			}
			read = entries(page)
			*token = page.GetNextPageToken()
			last = *token == ""
		}
		entry, read = read[0], read[1:]
		return entry, true, nil
	}}
}

func clone[M proto.Message](message M) M {
	return proto.Clone(message).(M)
}

// IterFriends walks over all entries of a friend list, from the page on that the request names. The walks ask for a
// page when its first entry is wanted.
func (c *Client) IterFriends(ctx context.Context, request *befriendv1.ListFriendsRequest) *Iterator[*befriendv1.ListFriendsResponse_Entry] {
	own := clone(request)
	return walk(ctx, c.Friends.ListFriends, own, &own.PageToken, (*befriendv1.ListFriendsResponse).GetEntries)
}

// IterMutualFriends walks over the usernames of the friends of both of two users.
func (c *Client) IterMutualFriends(ctx context.Context, request *befriendv1.ListMutualFriendsRequest) *Iterator[string] {
	own := clone(request)
	return walk(ctx, c.Friends.ListMutualFriends, own, &own.PageToken, (*befriendv1.ListMutualFriendsResponse).GetUsernames)
}

// IterFriendRequests walks over the friend requests that a user has received or sent.
func (c *Client) IterFriendRequests(ctx context.Context, request *befriendv1.ListFriendRequestsRequest) *Iterator[*befriendv1.FriendRequest] {
	own := clone(request)
	return walk(ctx, c.Friends.ListFriendRequests, own, &own.PageToken, (*befriendv1.ListFriendRequestsResponse).GetFriendRequests)
}

// IterBlockedUsers walks over the usernames of a block list.
func (c *Client) IterBlockedUsers(ctx context.Context, request *befriendv1.ListBlockedUsersRequest) *Iterator[string] {
	own := clone(request)
	return walk(ctx, c.Blocks.ListBlockedUsers, own, &own.PageToken, (*befriendv1.ListBlockedUsersResponse).GetUsernames)
}

// IterUsers walks over the users of the app.
func (c *Client) IterUsers(ctx context.Context, request *befriendv1.ListUsersRequest) *Iterator[*befriendv1.User] {
	own := clone(request)
	return walk(ctx, c.Users.ListUsers, own, &own.PageToken, (*befriendv1.ListUsersResponse).GetUsers)
}

// IterEvents walks over events of an app. For the operator.
func (c *Client) IterEvents(ctx context.Context, request *befriendv1.ListEventsRequest) *Iterator[*befriendv1.Event] {
	own := clone(request)
	return walk(ctx, c.Events.ListEvents, own, &own.PageToken, (*befriendv1.ListEventsResponse).GetEvents)
}

// IterApps walks over all apps. For the operator.
func (c *Client) IterApps(ctx context.Context, request *befriendv1.ListAppsRequest) *Iterator[*befriendv1.App] {
	own := clone(request)
	return walk(ctx, c.Apps.ListApps, own, &own.PageToken, (*befriendv1.ListAppsResponse).GetApps)
}

// IterAuditEvents walks over what operators have done. For the operator.
func (c *Client) IterAuditEvents(ctx context.Context, request *befriendv1.ListAuditEventsRequest) *Iterator[*befriendv1.AuditEvent] {
	own := clone(request)
	return walk(ctx, c.Audit.ListAuditEvents, own, &own.PageToken, (*befriendv1.ListAuditEventsResponse).GetAuditEvents)
}

// IterOperatorTokens walks over the operator tokens. For the operator.
func (c *Client) IterOperatorTokens(ctx context.Context, request *befriendv1.ListOperatorTokensRequest) *Iterator[*befriendv1.OperatorToken] {
	own := clone(request)
	return walk(ctx, c.OperatorTokens.ListOperatorTokens, own, &own.PageToken, (*befriendv1.ListOperatorTokensResponse).GetOperatorTokens)
}
