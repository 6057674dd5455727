// Package webhook says whether a callback comes from befriend, and what it tells.
//
//	verifier, err := webhook.NewVerifier(secret) // once, with the secret of the callback rule
//	…
//	body, err := io.ReadAll(http.MaxBytesReader(writer, request.Body, 1<<20))
//	…
//	delivery, err := verifier.Verify(request.Header, body) // the body as it came
//	…
//	event, err := delivery.Event()
package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Why a request is not taken for befriend's; use errors.Is.
var (
	// ErrSecret: the secret is not one of befriend's, which begin with "whsec_".
	ErrSecret = errors.New("webhook: the secret is not a callback rule's, which begins with whsec_")
	// ErrHeader: a header is missing or can't be read.
	ErrHeader = errors.New("webhook: a header is missing or can't be read")
	// ErrSignature: no signature is right.
	ErrSignature = errors.New("webhook: no signature is right")
	// ErrTimestamp: the request was sent more than five minutes ago, or the two clocks differ by as much.
	ErrTimestamp = errors.New("webhook: the request was sent more than five minutes from now")
	// ErrBody: the signature is right, but the body is not an event in befriend's standard format.
	ErrBody = errors.New("webhook: the body is no event")
)

// tolerance is how far the time in a request may be from this machine's.
const tolerance = 5 * time.Minute

// Verifier checks the signatures of one callback rule. Goroutines may share it.
type Verifier struct {
	key []byte
}

// Delivery is a genuine request.
type Delivery struct {
	// ID is the same in all attempts to deliver an event: what was processed already can be left out by it.
	ID string
	// Sent is when the attempt was made.
	Sent time.Time
	// Body is the body.
	Body []byte
}

// Event is an event in befriend's standard format (BODY_FORMAT_STANDARD).
type Event struct {
	// Type says what happened: "friend.added", "friend.remark_set", and so on. A receiver ignores a type that it
	// does not know.
	Type string `json:"type"`
	// Timestamp is when it happened.
	Timestamp time.Time `json:"timestamp"`
	// Data says to whom.
	Data Data `json:"data"`
}

// Data is whom an event is about.
type Data struct {
	// App is the app's key, as "acme#chat".
	App string `json:"app"`
	// Owner is the username of the owner of the list.
	Owner string `json:"owner"`
	// Friend is the username of the other user.
	Friend string `json:"friend"`
	// Version is the owner's version after the change.
	Version int64 `json:"version"`
	// Remark is the new remark, of friend.remark_set.
	Remark string `json:"remark"`
	// Message is the message, of the events of friend requests.
	Message string `json:"message"`
}

// NewVerifier makes a verifier with the secret of a callback rule, "whsec_…".
func NewVerifier(secret string) (*Verifier, error) {
	encoded := strings.TrimPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if encoded == secret || err != nil || len(key) == 0 {
		return nil, ErrSecret
	}
	return &Verifier{key}, nil
}

// Verify checks a request: its headers and its body as it came, not parsed and written again.
func (v *Verifier) Verify(header http.Header, body []byte) (*Delivery, error) {
	return v.VerifyAt(header, body, time.Now())
}

// VerifyAt checks a request that has come at some other time.
func (v *Verifier) VerifyAt(header http.Header, body []byte, now time.Time) (*Delivery, error) {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	signatures := header.Get("webhook-signature")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	switch {
	case id == "":
		return nil, fmt.Errorf("%w: webhook-id", ErrHeader)
	case err != nil:
		return nil, fmt.Errorf("%w: webhook-timestamp", ErrHeader)
	case signatures == "":
		return nil, fmt.Errorf("%w: webhook-signature", ErrHeader)
	}
	if !v.signed(id+"."+timestamp+".", body, signatures) {
		return nil, ErrSignature
	}
	sent := time.Unix(seconds, 0)
	if sent.Before(now.Add(-tolerance)) || sent.After(now.Add(tolerance)) {
		return nil, ErrTimestamp
	}
	return &Delivery{ID: id, Sent: sent, Body: body}, nil
}

// signed tells whether one of the signatures is right: while a secret is rotated, there are two.
func (v *Verifier) signed(head string, body []byte, signatures string) bool {
	mac := hmac.New(sha256.New, v.key)
	mac.Write([]byte(head))
	mac.Write(body)
	right := mac.Sum(nil)
	for _, one := range strings.Split(signatures, " ") {
		encoded := strings.TrimPrefix(one, "v1,")
		given, err := base64.StdEncoding.DecodeString(encoded)
		if encoded != one && err == nil && hmac.Equal(given, right) {
			return true
		}
	}
	return false
}

// Event returns the event in the body.
func (d *Delivery) Event() (*Event, error) {
	event := &Event{}
	if err := json.Unmarshal(d.Body, event); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBody, err)
	}
	if event.Type == "" {
		return nil, fmt.Errorf("%w: it has no type", ErrBody)
	}
	return event, nil
}
