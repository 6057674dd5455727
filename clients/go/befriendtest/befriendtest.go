// Package befriendtest starts a befriend for tests: the real service, from the program befriend, gone with the
// tests.
//
//	func TestFriendshipIsMutual(t *testing.T) {
//		app := befriendtest.NewApp(t)
//		app.CreateUsers(t, "alice", "bob")
//		_, err := app.Client.Friends.AddFriend(ctx, &befriendv1.AddFriendRequest{Owner: "alice", Friend: "bob"})
//		…
//	}
package befriendtest

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"befriend"
	befriendv1 "befriend/v1"
)

const (
	// startTimeout is a little longer than befriend itself allows.
	startTimeout = 100 * time.Second
	// stopTimeout is how long the end may take.
	stopTimeout = 20 * time.Second
	// batch is the limit of users in one call.
	batch = 60
	// logged is how much of the log an error has, in bytes.
	logged = 4000
)

// Options say how a befriend is started. The zero value is right for most tests.
type Options struct {
	// Binary is the program; "" is the one that BEFRIEND_BINARY names, or befriend on the PATH.
	Binary string
	// DatabaseURL is a server on which the database is made; "" is a private Postgres.
	DatabaseURL string
	// Arguments are further flags of befriend serve.
	Arguments []string
}

// Server is a befriend that runs. It ends with Close, and with this process.
type Server struct {
	// Address is "127.0.0.1:40519", and URL "http://127.0.0.1:40519", for the HTTP APIs.
	Address, URL string
	// Version is that of befriend.
	Version string
	// OperatorToken is the operator's.
	OperatorToken string
	// Operator is a client of the operator.
	Operator *befriend.Client

	process *exec.Cmd
	input   io.Closer
	log     *os.File
}

// App is an app of a server.
type App struct {
	// Address is that of the server.
	Address string
	// Key is the app's key, ClientID and ClientSecret are its credentials.
	Key, ClientID, ClientSecret string
	// Client is a client of the app.
	Client *befriend.Client
}

// Start starts a befriend and waits until it takes calls: less than a second, some seconds at the first start.
// Variables of this process that are settings of befriend have no effect, nor has DATABASE_URL.
func Start(options Options) (*Server, error) {
	program, err := program(options)
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp("", "befriendtest")
	if err != nil {
		return nil, err
	}
	// The open file is enough; nothing is left if this process is killed.
	defer os.Remove(log.Name())
	process := exec.Command(program, append([]string{"serve", "--ephemeral"}, options.Arguments...)...)
	process.Env = environment(options)
	process.Stderr = log
	// befriend ends when this pipe ends, as it does with this process.
	input, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	output, err := process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := process.Start(); err != nil {
		return nil, fmt.Errorf("befriendtest: %w", err)
	}
	server := &Server{process: process, input: input, log: log}
	if err := server.listen(output); err != nil {
		server.stop()
		defer log.Close()
		return nil, fmt.Errorf("befriendtest: %s serve --ephemeral did not start: %w; it said:\n%s", program, err, server.said())
	}
	return server, nil
}

func program(options Options) (string, error) {
	for _, named := range []string{options.Binary, os.Getenv("BEFRIEND_BINARY")} {
		if named != "" {
			return named, nil
		}
	}
	found, err := exec.LookPath("befriend")
	if err != nil {
		return "", errors.New("befriendtest: there is no program befriend on the PATH; install it, or name it in BEFRIEND_BINARY")
	}
	return found, nil
}

func environment(options Options) []string {
	var kept []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "BEFRIEND_") && !strings.HasPrefix(variable, "DATABASE_URL=") {
			kept = append(kept, variable)
		}
	}
	if options.DatabaseURL != "" {
		kept = append(kept, "DATABASE_URL="+options.DatabaseURL)
	}
	return kept
}

// listen reads the line in which befriend says how to call it.
func (s *Server) listen(output io.Reader) error {
	line := make(chan []byte, 1)
	go func() {
		// What is read without an end of line is from a befriend that has ended.
		read, _ := bufio.NewReader(output).ReadBytes('\n')
		line <- read
	}()
	select {
	case read := <-line:
		var said struct {
			Address, URL, Version string
			OperatorToken         string `json:"operator_token"`
		}
		if len(read) == 0 {
			return errors.New("it has ended")
		}
		if err := json.Unmarshal(read, &said); err != nil {
			return err
		}
		s.Address, s.URL, s.Version, s.OperatorToken = said.Address, said.URL, said.Version, said.OperatorToken
	case <-time.After(startTimeout):
		return fmt.Errorf("nothing came for %s", startTimeout)
	}
	operator, err := befriend.New(s.URL, befriend.Options{Token: s.OperatorToken})
	s.Operator = operator
	return err
}

// said returns the end of the log.
func (s *Server) said() string {
	text, _ := io.ReadAll(io.NewSectionReader(s.log, 0, math.MaxInt64))
	if len(text) > logged {
		text = text[len(text)-logged:]
	}
	return strings.TrimSpace(string(text))
}

// NewApp makes an app without users, of which no other test knows.
func (s *Server) NewApp(ctx context.Context) (*App, error) {
	name := make([]byte, 16)
	if _, err := rand.Read(name); err != nil {
		return nil, err
	}
	rate := int32(1_000_000)
	created, err := s.Operator.Apps.CreateApp(ctx, &befriendv1.CreateAppRequest{
		AppKey: "test#" + hex.EncodeToString(name),
		Limits: &befriendv1.AppLimits{RequestsPerSecond: &rate},
	})
	if err != nil {
		return nil, err
	}
	app := &App{
		Address:      s.Address,
		Key:          created.GetApp().GetAppKey(),
		ClientID:     created.GetApp().GetClientId(),
		ClientSecret: created.GetClientSecret(),
	}
	app.Client, err = befriend.New(s.URL, befriend.Options{ClientID: app.ClientID, ClientSecret: app.ClientSecret})
	return app, err
}

// Close ends befriend, and waits until nothing is left of it.
func (s *Server) Close() error {
	s.Operator.Close()
	defer s.log.Close()
	return s.stop()
}

func (s *Server) stop() error {
	s.input.Close()
	late := time.AfterFunc(stopTimeout, func() { s.process.Process.Kill() })
	defer late.Stop()
	return s.process.Wait()
}

var (
	shared      *Server
	sharedError error
	sharing     sync.Once
)

// Shared returns the befriend that all tests of a program share. It starts with the first test that wants it, and
// ends with the program.
func Shared(t testing.TB) *Server {
	t.Helper()
	sharing.Do(func() { shared, sharedError = Start(Options{}) })
	if sharedError != nil {
		t.Fatal(sharedError)
	}
	return shared
}

// StartFor starts a befriend for one test.
func StartFor(t testing.TB, options Options) *Server {
	t.Helper()
	server, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("befriend did not end well: %v", err)
		}
	})
	return server
}

// NewApp makes an app of its own for a test, on the befriend that all tests share.
func NewApp(t testing.TB) *App {
	t.Helper()
	return Shared(t).NewAppFor(t)
}

// NewAppFor makes an app of its own for a test.
func (s *Server) NewAppFor(t testing.TB) *App {
	t.Helper()
	app, err := s.NewApp(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { app.Client.Close() })
	return app
}

// CreateUsers makes users of the app.
func (a *App) CreateUsers(t testing.TB, usernames ...string) {
	t.Helper()
	for len(usernames) > 0 {
		some := usernames
		if len(some) > batch {
			some = some[:batch]
		}
		usernames = usernames[len(some):]
		request := &befriendv1.BatchCreateUsersRequest{}
		for _, username := range some {
			request.Users = append(request.Users, &befriendv1.NewUser{Username: username})
		}
		if _, err := a.Client.Users.BatchCreateUsers(context.Background(), request); err != nil {
			t.Fatal(err)
		}
	}
}
