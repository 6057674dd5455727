package befriend

import (
	"context"
	"testing"
)

func TestWhoWaitsForATokenIsNotHeldUpBeyondTheContext(t *testing.T) {
	tokens := newTokens(Options{ClientID: "bfc_id", ClientSecret: "bfs_secret"})
	tokens.current = "token-1"
	if !tokens.refused(context.Background(), "token-1") || tokens.current != "" {
		t.Error("a token that is refused is not renewed")
	}
	// Somebody gets one, and it takes long.
	tokens.held <- struct{}{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if tokens.refused(ctx, "token-1") {
		t.Error("another token can be had without end")
	}
	if _, err := tokens.get(ctx); err != context.Canceled {
		t.Error(err)
	}
}
