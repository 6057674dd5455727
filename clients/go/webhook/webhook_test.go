package webhook_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"befriend/webhook"
)

// The sample of docs/callbacks.md.
const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	id        = "evt_69f101dc9c2a0c184c2b02f27f5252ff_7"
	timestamp = "1795262400"
	signature = "v1,A/c+XkOVBe568Um32oeb8nR2Wof5hrTS9uEU3hkQd9s="
	body      = `{"type":"friend.added","timestamp":"2026-11-21T12:00:00.123Z","data":{"app":"acme#chat","owner":"alice","friend":"bob","version":7}}`
)

var sent = time.Unix(1795262400, 0)

func headers(id, timestamp, signature string) http.Header {
	made := http.Header{}
	for name, value := range map[string]string{
		"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature,
	} {
		if value != "" {
			made.Set(name, value)
		}
	}
	return made
}

func verifier(t *testing.T) *webhook.Verifier {
	t.Helper()
	made, err := webhook.NewVerifier(secret)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestTheDocumentedSampleIsGenuine(t *testing.T) {
	for name, signatures := range map[string]string{
		"alone":         signature,
		"among several": "v1,AAAA v1a,whatever " + signature,
	} {
		delivery, err := verifier(t).VerifyAt(headers(id, timestamp, signatures), []byte(body), sent.Add(299*time.Second))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if delivery.ID != id || !delivery.Sent.Equal(sent) {
			t.Errorf("%s: %+v", name, delivery)
		}
		event, err := delivery.Event()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := webhook.Data{App: "acme#chat", Owner: "alice", Friend: "bob", Version: 7}
		if event.Type != "friend.added" || event.Data != want || event.Timestamp.UnixMilli() != 1795262400123 {
			t.Errorf("%s: %+v", name, event)
		}
	}
}

func TestWhatDiffersIsRejected(t *testing.T) {
	for name, c := range map[string]struct {
		headers http.Header
		body    string
		now     time.Time
		want    error
	}{
		"another body":           {headers(id, timestamp, signature), "{}", sent, webhook.ErrSignature},
		"another id":             {headers("evt_1_8", timestamp, signature), body, sent, webhook.ErrSignature},
		"another time":           {headers(id, "1795262401", signature), body, sent, webhook.ErrSignature},
		"an empty signature":     {headers(id, timestamp, "v1,"), body, sent, webhook.ErrSignature},
		"another kind":           {headers(id, timestamp, signature[3:]), body, sent, webhook.ErrSignature},
		"a signature of old":     {headers(id, timestamp, signature), body, sent.Add(301 * time.Second), webhook.ErrTimestamp},
		"one from the future":    {headers(id, timestamp, signature), body, sent.Add(-301 * time.Second), webhook.ErrTimestamp},
		"no id":                  {headers("", timestamp, signature), body, sent, webhook.ErrHeader},
		"no signature":           {headers(id, timestamp, ""), body, sent, webhook.ErrHeader},
		"no time that is a time": {headers(id, "today", signature), body, sent, webhook.ErrHeader},
	} {
		delivery, err := verifier(t).VerifyAt(c.headers, []byte(c.body), c.now)
		if !errors.Is(err, c.want) || delivery != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, wrong := range []string{"", "MfKQ9r8G", "whsec_", "whsec_!"} {
		if _, err := webhook.NewVerifier(wrong); !errors.Is(err, webhook.ErrSecret) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := (&webhook.Delivery{Body: []byte("{}")}).Event(); !errors.Is(err, webhook.ErrBody) {
		t.Error(err)
	}
}
