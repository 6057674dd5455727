package befriend_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sort"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"befriend"
	"befriend/befriendtest"
	befriendv1 "befriend/v1"
)

// A story against a live befriend: what somebody's program does with friends, blocks and changes.

var background = context.Background()

// crowd has more friends than a page of the tests.
var crowd = []string{"friend-0", "friend-1", "friend-2", "friend-3", "friend-4", "friend-5", "friend-6"}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func same(t *testing.T, got, want interface{}) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}

// addFriends makes alice the friend of others.
func addFriends(t *testing.T, app *befriendtest.App, friends ...string) {
	t.Helper()
	for _, friend := range friends {
		request := &befriendv1.AddFriendRequest{Owner: "alice", Friend: friend}
		must[*befriendv1.AddFriendResponse](t)(app.Client.Friends.AddFriend(background, request))
	}
}

func names(list befriend.FriendList) []string {
	var all []string
	for name := range list.Friends {
		all = append(all, name)
	}
	sort.Strings(all)
	return all
}

func TestAFriendshipIsMutualAndARemarkIsNot(t *testing.T) {
	app := befriendtest.NewApp(t)
	app.CreateUsers(t, "alice", "bob")
	addFriends(t, app, "bob")
	remark := &befriendv1.SetRemarkRequest{Owner: "alice", Friend: "bob", Remark: "from the gym"}
	must[*befriendv1.SetRemarkResponse](t)(app.Client.Friends.SetRemark(background, remark))
	for owner, want := range map[string][2]string{"alice": {"bob", "from the gym"}, "bob": {"alice", ""}} {
		request := &befriendv1.ListFriendsRequest{Owner: owner, IncludeRemark: true}
		entries := must[[]*befriendv1.ListFriendsResponse_Entry](t)(app.Client.IterFriends(background, request).All())
		if len(entries) != 1 {
			t.Fatalf("%s has %v", owner, entries)
		}
		same(t, [2]string{entries[0].GetUsername(), entries[0].GetRemark()}, want)
	}
}

func TestAllPagesOfAListHaveEveryEntryOnce(t *testing.T) {
	app := befriendtest.NewApp(t)
	app.CreateUsers(t, append(crowd, "alice")...)
	addFriends(t, app, crowd...)
	request := &befriendv1.ListFriendsRequest{Owner: "alice", PageSize: 3}
	first := must[*befriendv1.ListFriendsResponse](t)(app.Client.Friends.ListFriends(background, request))
	same(t, len(first.GetEntries()), 3)
	var found []string
	friends := app.Client.IterFriends(background, request)
	for friends.Next() {
		found = append(found, friends.Value().GetUsername())
	}
	same(t, friends.Err(), nil)
	same(t, found, crowd)
	same(t, friends.Next(), false)
	same(t, request.PageToken, "")

	users := must[[]*befriendv1.User](t)(app.Client.IterUsers(background, &befriendv1.ListUsersRequest{PageSize: 2}).All())
	same(t, len(users), len(crowd)+1)
	none := app.Client.IterFriends(background, &befriendv1.ListFriendsRequest{Owner: "nobody"})
	same(t, none.Next(), false)
	same(t, befriend.ReasonOf(none.Err()), befriendv1.ErrorReason_ERROR_REASON_USER_NOT_FOUND)
}

func TestABlockIsSeenFromBothSides(t *testing.T) {
	app := befriendtest.NewApp(t)
	app.CreateUsers(t, "alice", "bob", "carol")
	block := &befriendv1.BlockUsersRequest{Owner: "bob", Usernames: []string{"alice", "carol"}}
	must[*befriendv1.BlockUsersResponse](t)(app.Client.Blocks.BlockUsers(background, block))
	check := &befriendv1.CheckRelationsRequest{Username: "alice", Others: []string{"bob", "carol"}}
	relations := must[*befriendv1.CheckRelationsResponse](t)(app.Client.Relations.CheckRelations(background, check)).GetRelations()
	same(t, []bool{relations[0].GetBlockedBy(), relations[0].GetBlocks(), relations[1].GetBlockedBy()}, []bool{true, false, false})
	request := &befriendv1.ListBlockedUsersRequest{Owner: "bob", PageSize: 1}
	blocked := must[[]string](t)(app.Client.IterBlockedUsers(background, request).All())
	sort.Strings(blocked)
	same(t, blocked, []string{"alice", "carol"})

	var list befriend.BlockList
	same(t, app.Client.SyncBlocks(background, "bob", &list), nil)
	same(t, list.Usernames, map[string]bool{"alice": true, "carol": true})
	unblock := &befriendv1.UnblockUserRequest{Owner: "bob", Username: "alice"}
	must[*befriendv1.UnblockUserResponse](t)(app.Client.Blocks.UnblockUser(background, unblock))
	same(t, app.Client.SyncBlocks(background, "bob", &list), nil)
	same(t, list.Usernames, map[string]bool{"carol": true})

	ctx, cancel := context.WithCancel(background)
	defer cancel()
	watch := app.Client.WatchBlocks(ctx, "bob", 0)
	same(t, watch.Next(), true)
	var watched befriend.BlockList
	watched.Apply(watch.Value())
	same(t, watched, list)
}

func TestASyncedCopyEqualsTheList(t *testing.T) {
	app := befriendtest.NewApp(t)
	app.CreateUsers(t, append(crowd, "alice")...)
	addFriends(t, app, crowd...)
	var list befriend.FriendList
	same(t, app.Client.SyncFriends(background, "alice", &list), nil)
	same(t, names(list), crowd)
	before := list.Version

	remove := &befriendv1.RemoveFriendRequest{Owner: "alice", Friend: crowd[0]}
	must[*befriendv1.RemoveFriendResponse](t)(app.Client.Friends.RemoveFriend(background, remove))
	same(t, app.Client.SyncFriends(background, "alice", &list), nil)
	same(t, names(list), crowd[1:])
	if list.Version <= before {
		t.Fatalf("version %d after %d", list.Version, before)
	}

	// A copy of another list is made anew, and one that can't be synced stays as it is.
	other := befriend.FriendList{Version: 999, Friends: map[string]*befriendv1.Friend{"eve": {}}}
	kept := other
	err := app.Client.SyncFriends(background, "nobody", &other)
	same(t, befriend.ReasonOf(err), befriendv1.ErrorReason_ERROR_REASON_USER_NOT_FOUND)
	same(t, other, kept)
	same(t, app.Client.SyncFriends(background, "alice", &other), nil)
	same(t, []interface{}{names(other), other.Version}, []interface{}{crowd[1:], list.Version})
}

func TestAWatchGoesOnWhereAStreamHasEnded(t *testing.T) {
	server := befriendtest.StartFor(t, befriendtest.Options{Arguments: []string{"--watch-max-duration", "1s"}})
	app := server.NewAppFor(t)
	app.CreateUsers(t, append(crowd, "alice")...)
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	watch := app.Client.WatchFriends(ctx, "alice", 0)
	var list befriend.FriendList
	// Each stream begins with a message that says that nothing more is there: three of them are three streams.
	for streams := 0; streams < 3; {
		if !watch.Next() {
			t.Fatal(watch.Err())
		}
		list.Apply(watch.Value())
		if len(watch.Value().GetChanges()) == 0 {
			streams++
			addFriends(t, app, crowd[len(list.Friends)])
		}
	}
	same(t, names(list), crowd[:len(list.Friends)])
	same(t, len(list.Friends) >= 2, true)
	cancel()
	for watch.Next() {
	}
	same(t, errors.Is(watch.Err(), context.Canceled), true)
}

func TestAWatchFromAVersionThatIsNotThereBeginsAnew(t *testing.T) {
	app := befriendtest.NewApp(t)
	app.CreateUsers(t, "alice", "bob")
	addFriends(t, app, "bob")
	ctx, cancel := context.WithCancel(background)
	defer cancel()
	watch := app.Client.WatchFriends(ctx, "alice", 999)
	same(t, watch.Next(), true)
	same(t, watch.Value().GetFullResync(), true)
	list := befriend.FriendList{Version: 999, Friends: map[string]*befriendv1.Friend{"eve": {}}}
	list.Apply(watch.Value())
	same(t, names(list), []string{"bob"})

	nobody := app.Client.WatchFriends(ctx, "nobody", 0)
	same(t, nobody.Next(), false)
	same(t, befriend.ReasonOf(nobody.Err()), befriendv1.ErrorReason_ERROR_REASON_USER_NOT_FOUND)
}

func TestAnErrorHasItsReason(t *testing.T) {
	app := befriendtest.NewApp(t)
	app.CreateUsers(t, "alice", "bob")
	_, err := app.Client.Friends.AddFriend(background, &befriendv1.AddFriendRequest{Owner: "alice", Friend: "nobody"})
	var failed *befriend.Error
	same(t, errors.As(fmt.Errorf("somebody's: %w", err), &failed), true)
	same(t, failed.Code, codes.NotFound)
	same(t, failed.Reason, befriendv1.ErrorReason_ERROR_REASON_USER_NOT_FOUND)
	same(t, failed.Metadata, map[string]string{"username": "nobody"})
	same(t, failed.Error(), "USER_NOT_FOUND: "+failed.Message)
	same(t, status.Code(err), codes.NotFound)
	_, err = app.Client.Friends.SetRemark(background, &befriendv1.SetRemarkRequest{Owner: "alice", Friend: "bob", Remark: "x"})
	same(t, befriend.ReasonOf(err), befriendv1.ErrorReason_ERROR_REASON_NOT_FRIENDS)
	_, err = app.Client.Apps.ListApps(background, &befriendv1.ListAppsRequest{})
	same(t, befriend.ReasonOf(err), befriendv1.ErrorReason_ERROR_REASON_TOKEN_SCOPE)
}

func TestADeadlineOfTheCallersOwnIsKept(t *testing.T) {
	app := befriendtest.NewApp(t)
	app.CreateUsers(t, "alice")
	ctx, cancel := context.WithTimeout(background, time.Microsecond)
	defer cancel()
	_, err := app.Client.Users.GetUser(ctx, &befriendv1.GetUserRequest{Username: "alice"})
	same(t, status.Code(err), codes.DeadlineExceeded)
	same(t, errors.Is(err, context.DeadlineExceeded), true)
	must[*befriendv1.GetUserResponse](t)(app.Client.Users.GetUser(background, &befriendv1.GetUserRequest{Username: "alice"}))
}

func TestATokenThatWasRevokedIsRenewed(t *testing.T) {
	app := befriendtest.NewApp(t)
	app.CreateUsers(t, "alice")
	// Without a token in the request, the one that the call is made with.
	must[*befriendv1.RevokeTokenResponse](t)(app.Client.Tokens.RevokeToken(background, &befriendv1.RevokeTokenRequest{}))
	must[*befriendv1.GetUserResponse](t)(app.Client.Users.GetUser(background, &befriendv1.GetUserRequest{Username: "alice"}))

	wrong := must[*befriend.Client](t)(befriend.New(app.Address, befriend.Options{ClientID: app.ClientID, ClientSecret: "bfs_wrong"}))
	defer wrong.Close()
	_, err := wrong.Users.GetUser(background, &befriendv1.GetUserRequest{Username: "alice"})
	same(t, befriend.ReasonOf(err), befriendv1.ErrorReason_ERROR_REASON_INVALID_CREDENTIALS)
}
