package befriend

import (
	"context"
	"time"

	befriendv1 "befriend/v1"
)

// tokens has the token that calls are made with.
type tokens struct {
	// fixed is shown with all calls.
	fixed string
	// request gets tokens; nil if there are no credentials.
	request *befriendv1.IssueTokenRequest
	issuer  befriendv1.TokenServiceClient

	// held is full while somebody uses what follows, also while a token is got: who needs one waits for the same.
	held    chan struct{}
	current string
	// renew is from when on another token is got.
	renew time.Time
}

// issuing marks the context of a call that gets a token.
type issuing struct{}

func newTokens(options Options) *tokens {
	t := &tokens{fixed: options.Token, held: make(chan struct{}, 1)}
	if options.ClientID != "" || options.ClientSecret != "" {
		t.request = &befriendv1.IssueTokenRequest{ClientId: options.ClientID, ClientSecret: options.ClientSecret}
	}
	return t
}

// get returns the token for the next call; "" for none.
func (t *tokens) get(ctx context.Context) (string, error) {
	if t.request == nil {
		return t.fixed, nil
	}
	select {
	case t.held <- struct{}{}:
		defer func() { <-t.held }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if t.current != "" && time.Now().Before(t.renew) {
		return t.current, nil
	}
	asked := time.Now()
	issued, err := t.issuer.IssueToken(context.WithValue(ctx, issuing{}, true), t.request)
	if err != nil {
		return "", err
	}
	t.current = issued.GetAccessToken()
	// Before its end, so that no call is under way with a token that expires.
	t.renew = asked.Add(issued.GetExpiresIn().AsDuration() / 5 * 4)
	return t.current, nil
}

// refused says that the service does not accept this token. It returns whether another can be had: not if the context
// ends while somebody else gets one.
func (t *tokens) refused(ctx context.Context, token string) bool {
	if t.request == nil {
		return false
	}
	select {
	case t.held <- struct{}{}:
	case <-ctx.Done():
		return false
	}
	// Another call may have got a new one meanwhile.
	if t.current == token {
		t.current = ""
	}
	<-t.held
	return true
}
