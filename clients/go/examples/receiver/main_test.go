package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"befriend/webhook"
)

func TestOnlyWhatTheSecretHasSignedIsTaken(t *testing.T) {
	const key = "a key of a test's own"
	verifier, err := webhook.NewVerifier("whsec_" + base64.StdEncoding.EncodeToString([]byte(key)))
	if err != nil {
		t.Fatal(err)
	}
	body := `{"type":"friend.added","timestamp":"2026-11-21T12:00:00Z","data":{"owner":"alice","friend":"bob"}}`
	for secret, want := range map[string]int{key: 204, "another": 401} {
		now := strconv.FormatInt(time.Now().Unix(), 10)
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte("evt_1." + now + "." + body))
		request := httptest.NewRequest("POST", "/", strings.NewReader(body))
		request.Header.Set("webhook-id", "evt_1")
		request.Header.Set("webhook-timestamp", now)
		request.Header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		answer, out := httptest.NewRecorder(), &strings.Builder{}
		receiver{verifier, out}.ServeHTTP(answer, request)
		said := out.String() == "evt_1 friend.added: alice and bob\n"
		if answer.Code != want || said != (want == 204) {
			t.Errorf("%s: %d %s", secret, answer.Code, out)
		}
	}
}
