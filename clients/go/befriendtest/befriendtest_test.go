package befriendtest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"befriend/befriendtest"
)

func TestAProgramThatDoesNotStartIsNamedWithWhatItSaid(t *testing.T) {
	program := filepath.Join(t.TempDir(), "befriend")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho \"no $1 $2 $3\" >&2\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	server, err := befriendtest.Start(befriendtest.Options{Binary: program, Arguments: []string{"--today"}})
	if server != nil || err == nil {
		t.Fatal("it has started")
	}
	for _, part := range []string{program, "it has ended", "no serve --ephemeral --today"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}

func TestABefriendEndsWellAndItsAppsDoNotMeet(t *testing.T) {
	server, err := befriendtest.Start(befriendtest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 2; i++ {
		// The second has none of the first one's users.
		server.NewAppFor(t).CreateUsers(t, "alice")
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}
