// A receiver of callbacks, which takes those that the rule's secret has signed.
//
//	go run befriend/examples/receiver 127.0.0.1:8090 whsec_…
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"befriend/webhook"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: receiver ADDRESS SECRET")
		os.Exit(2)
	}
	verifier, err := webhook.NewVerifier(os.Args[2])
	if err == nil {
		server := &http.Server{Addr: os.Args[1], Handler: receiver{verifier, os.Stdout}, ReadTimeout: 10 * time.Second}
		err = server.ListenAndServe()
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// receiver writes what the callbacks tell.
type receiver struct {
	verifier *webhook.Verifier
	out      io.Writer
}

func (r receiver) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(writer, request.Body, 1<<20))
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	delivery, err := r.verifier.Verify(request.Header, body)
	if err != nil {
		http.Error(writer, err.Error(), http.StatusUnauthorized)
		return
	}
	event, err := delivery.Event()
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	// An event may come twice: a program leaves out an id that it has processed.
	fmt.Fprintf(r.out, "%s %s: %s and %s\n", delivery.ID, event.Type, event.Data.Owner, event.Data.Friend)
	writer.WriteHeader(http.StatusNoContent)
}
