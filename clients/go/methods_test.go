package befriend

import (
	"encoding/json"
	"os"
	"testing"
)

func TestAMethodIsRepeatableWhereTheServiceConfigRepeatsIt(t *testing.T) {
	text, err := os.ReadFile("../service-config.json")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		MethodConfig []struct {
			Name        []struct{ Service, Method string }
			RetryPolicy struct{ RetryableStatusCodes []string }
		}
	}
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, entry := range config.MethodConfig {
		repeated := false
		for _, code := range entry.RetryPolicy.RetryableStatusCodes {
			repeated = repeated || code == "UNAVAILABLE"
		}
		for _, name := range entry.Name {
			count++
			path := "/" + name.Service + "/" + name.Method
			found, known := methods[path]
			if !known || found.repeatable != repeated || found.open != (path == issueToken) {
				t.Errorf("%s: %+v, known %t, repeated %t", path, found, known, repeated)
			}
		}
	}
	if count == 0 || count != len(methods) {
		t.Errorf("%d methods there, %d here", count, len(methods))
	}
}
