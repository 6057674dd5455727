package main

import (
	"testing"

	"befriend"
	"befriend/befriendtest"
)

func TestTheStoryIsToldToTheEnd(t *testing.T) {
	app := befriendtest.NewApp(t)
	if err := run(app.Address, befriend.Options{ClientID: app.ClientID, ClientSecret: app.ClientSecret}); err != nil {
		t.Error(err)
	}
}
