package befriend

import (
	"context"

	befriendv1 "befriend/v1"
)

// page is the largest page of a sync.
const page = 500

// FriendList is a copy of a user's friend list. To keep it beyond the process, store both fields in one write. Its
// zero value is a copy that is new.
type FriendList struct {
	// Version is the version up to which the copy goes.
	Version int64
	// Friends has the entries by username.
	Friends map[string]*befriendv1.Friend
}

// BlockList is a copy of a user's block list. To keep it beyond the process, store both fields in one write. Its
// zero value is a copy that is new.
type BlockList struct {
	// Version is the version up to which the copy goes.
	Version int64
	// Usernames has the users who are blocked.
	Usernames map[string]bool
}

// Apply brings the copy up to date with a message of WatchFriends.
func (l *FriendList) Apply(message *befriendv1.WatchFriendsResponse) {
	l.change(message.GetFullResync(), message.GetChanges())
	l.Version = message.GetNextVersion()
}

func (l *FriendList) change(anew bool, changes []*befriendv1.FriendChange) {
	if anew || l.Friends == nil {
		l.Friends = map[string]*befriendv1.Friend{}
	}
	for _, change := range changes {
		switch change := change.GetChange().(type) {
		case *befriendv1.FriendChange_Upserted:
			l.Friends[change.Upserted.GetUsername()] = change.Upserted
		case *befriendv1.FriendChange_Removed:
			delete(l.Friends, change.Removed)
		}
	}
}

// Apply brings the copy up to date with a message of WatchBlocks.
func (l *BlockList) Apply(message *befriendv1.WatchBlocksResponse) {
	l.change(message.GetFullResync(), message.GetChanges())
	l.Version = message.GetNextVersion()
}

func (l *BlockList) change(anew bool, changes []*befriendv1.BlockChange) {
	if anew || l.Usernames == nil {
		l.Usernames = map[string]bool{}
	}
	for _, change := range changes {
		switch change := change.GetChange().(type) {
		case *befriendv1.BlockChange_Blocked:
			l.Usernames[change.Blocked] = true
		case *befriendv1.BlockChange_Unblocked:
			delete(l.Usernames, change.Unblocked)
		}
	}
}

// SyncFriends brings a copy of a friend list up to date. If it fails, the copy is as it was. A copy that belongs to
// another list (VERSION_AHEAD, as after the service was restored from a backup) is made anew.
func (c *Client) SyncFriends(ctx context.Context, owner string, list *FriendList) error {
	var copied FriendList
	err := sync(list.Version, func(since int64) error {
		copied = FriendList{Version: since}
		copied.change(false, nil)
		if since != 0 {
			for username, friend := range list.Friends {
				copied.Friends[username] = friend
			}
		}
		request := &befriendv1.SyncFriendsRequest{Owner: owner, SinceVersion: since, PageSize: page}
		for {
			answer, err := c.Friends.SyncFriends(ctx, request)
			if err != nil {
				return err
			}
			copied.change(answer.GetFullResync(), answer.GetChanges())
			if !answer.GetHasMore() {
				copied.Version = answer.GetNextVersion()
				return nil
			}
			request.PageToken = answer.GetNextPageToken()
		}
	})
	if err == nil {
		*list = copied
	}
	return err
}

// SyncBlocks does the same for a block list; see SyncFriends.
func (c *Client) SyncBlocks(ctx context.Context, owner string, list *BlockList) error {
	var copied BlockList
	err := sync(list.Version, func(since int64) error {
		copied = BlockList{Version: since}
		copied.change(false, nil)
		if since != 0 {
			for username := range list.Usernames {
				copied.Usernames[username] = true
			}
		}
		request := &befriendv1.SyncBlocksRequest{Owner: owner, SinceVersion: since, PageSize: page}
		for {
			answer, err := c.Blocks.SyncBlocks(ctx, request)
			if err != nil {
				return err
			}
			copied.change(answer.GetFullResync(), answer.GetChanges())
			if !answer.GetHasMore() {
				copied.Version = answer.GetNextVersion()
				return nil
			}
			request.PageToken = answer.GetNextPageToken()
		}
	})
	if err == nil {
		*list = copied
	}
	return err
}

// sync walks over the pages since a version, and once more over all if the list has not reached that version.
func sync(version int64, pages func(since int64) error) error {
	err := pages(version)
	if isAhead(err) && version != 0 {
		return pages(0)
	}
	return err
}

// isAhead tells whether the version that a client has is higher than the list's.
func isAhead(err error) bool {
	return ReasonOf(err) == befriendv1.ErrorReason_ERROR_REASON_VERSION_AHEAD
}
