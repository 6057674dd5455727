// A story of two friends: befriend, remark, list, watch, block, and the question before every message.
//
//	go run befriend/examples/story ADDRESS CLIENT_ID CLIENT_SECRET
//
// `befriend serve --ephemeral` prints all three.
package main

import (
	"context"
	"fmt"
	"os"

	"befriend"
	befriendv1 "befriend/v1"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: story ADDRESS CLIENT_ID CLIENT_SECRET")
		os.Exit(2)
	}
	if err := run(os.Args[1], befriend.Options{ClientID: os.Args[2], ClientSecret: os.Args[3]}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address string, options befriend.Options) error {
	client, err := befriend.New(address, options)
	if err != nil {
		return err
	}
	defer client.Close()
	return tell(context.Background(), client)
}

// tell tells the story.
func tell(ctx context.Context, client *befriend.Client) error {
	create := &befriendv1.BatchCreateUsersRequest{}
	for _, username := range []string{"alice", "bob", "carol"} {
		create.Users = append(create.Users, &befriendv1.NewUser{Username: username})
	}
	if _, err := client.Users.BatchCreateUsers(ctx, create); err != nil {
		return err
	}
	if _, err := client.Friends.AddFriend(ctx, &befriendv1.AddFriendRequest{Owner: "alice", Friend: "bob"}); err != nil {
		return err
	}
	remark := &befriendv1.SetRemarkRequest{Owner: "alice", Friend: "bob", Remark: "from the gym"}
	if _, err := client.Friends.SetRemark(ctx, remark); err != nil {
		return err
	}
	friends := client.IterFriends(ctx, &befriendv1.ListFriendsRequest{Owner: "alice", IncludeRemark: true})
	for friends.Next() {
		fmt.Printf("alice has the friend %s, %s\n", friends.Value().GetUsername(), friends.Value().GetRemark())
	}
	if err := friends.Err(); err != nil {
		return err
	}

	var list befriend.FriendList
	watch := client.WatchFriends(ctx, "alice", list.Version)
	defer watch.Close()
	// A program that shows the list goes on.
	for watch.Next() {
		list.Apply(watch.Value())
		fmt.Printf("alice's copy has %d friends at version %d\n", len(list.Friends), list.Version)
		if watch.Value().GetUpToDate() {
			break
		}
	}
	if err := watch.Err(); err != nil {
		return err
	}

	block := &befriendv1.BlockUsersRequest{Owner: "bob", Usernames: []string{"alice"}}
	if _, err := client.Blocks.BlockUsers(ctx, block); err != nil {
		return err
	}
	check := &befriendv1.CheckRelationsRequest{Username: "alice", Others: []string{"bob", "carol"}}
	checked, err := client.Relations.CheckRelations(ctx, check)
	if err != nil {
		return err
	}
	for _, relation := range checked.GetRelations() {
		fmt.Printf("alice and %s: friends %t, blocked %t\n", relation.GetUsername(), relation.GetIsFriend(), relation.GetBlockedBy())
	}

	stranger := &befriendv1.SetRemarkRequest{Owner: "alice", Friend: "carol", Remark: "who?"}
	_, err = client.Friends.SetRemark(ctx, stranger)
	if befriend.ReasonOf(err) != befriendv1.ErrorReason_ERROR_REASON_NOT_FRIENDS {
		return fmt.Errorf("alice can remark on a stranger: %w", err)
	}
	fmt.Println("refused:", err)
	return nil
}
