// Package service starts a service that updates devices by itself, tells it to begin, and watches it.
//
// Its input is a [Config]: which program is the service, if it doesn't run already, and what begins
// a rollout. [Start] returns a [Service] that is ready. [Service.Trigger] tells it of the devices and
// of the artifact ([Values]) and returns a [Rollout], which says what the service said since:
// whether the trigger worked, and whether the rollout is over. [Service.Usage] says what the
// processes use that the package has started. [Service.Close] ends them.
//
// The package doesn't know scenarios or fleets, and not what became of a device. What it says of a
// service never contains the value of a header field.
package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios/client/internal/command"
)

// A Config says which program is the service, and what begins a rollout.
type Config struct {
	Start     []string // the program and its arguments; nil: the service runs already, or there is none
	Directory string   // in which commands run; empty: the current one
	Ready     string   // the URL that answers 2xx once the service is ready; empty: it is ready at once

	Request *Request // begins a rollout; nil: Command does
	Command []string // a program and its arguments, with placeholders

	Done     string // the URL that answers 200 once the rollout is over, with placeholders; empty: none
	DoneText string // what that answer contains then; empty: anything
	ByExit   bool   // the rollout is over when Command ends

	ReadyTimeout time.Duration // until it must be ready; 0: 30 s
	CloseTimeout time.Duration // until it must have ended after it was asked to; 0: 2 s
}

// A Request is an HTTP request that begins a rollout. Its URL and its body have placeholders.
type Request struct {
	Method, URL, Body string // an empty body is that of [Values.DefaultBody]
	Header            http.Header
}

// RunsHere reports whether the rollout is done by processes that are started here: by the service, or
// by the trigger's command if there is no service that could be asked for anything.
func (c Config) RunsHere() bool {
	return len(c.Start) > 0 || len(c.Command) > 0 && c.Ready == "" && c.Done == ""
}

// redactor returns what removes the values of the request's header fields from text.
func (c Config) redactor() *strings.Replacer {
	if c.Request == nil {
		return command.Redactor(nil)
	}
	return command.Redactor(c.Request.Header)
}

// How often a service is asked whether it is ready, or done, and how long an answer may take.
const (
	askInterval = 50 * time.Millisecond
	askTimeout  = 5 * time.Second
	maxAnswer   = 64 << 20 // bytes of an answer: it may name a million devices that failed
)

// A Service is a service that is ready. Its methods may be called concurrently.
type Service struct {
	cfg     Config
	name    string
	version string
	secrets *strings.Replacer
	client  *http.Client

	program *program // the service; nil if it wasn't started here

	mu       sync.Mutex
	programs []*program // all that was started

	peak uint64 // the largest resident memory of all processes together

	background context.Context    // ends with the service
	stop       context.CancelFunc // ends background
	running    sync.WaitGroup
}

// Start starts the service, if there is a program to start, and waits until it is ready. If it
// doesn't get ready, or ctx ends, Start leaves no process behind, and the error says why in one line.
func Start(ctx context.Context, cfg Config) (*Service, error) {
	cfg.ReadyTimeout = cmp.Or(cfg.ReadyTimeout, 30*time.Second)
	cfg.CloseTimeout = cmp.Or(cfg.CloseTimeout, 2*time.Second)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &Service{
		cfg: cfg, name: Name(cfg), secrets: cfg.redactor(), background: background, stop: stop,
		client: &http.Client{Transport: &http.Transport{}, CheckRedirect: sameHost},
	}
	s.running.Go(func() { s.observe(background) })
	err := s.start(ctx)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// sameHost follows redirects, but not to another host: header fields may be secrets, which are for the
// first one.
func sameHost(r *http.Request, via []*http.Request) error {
	const most = 10
	switch {
	case r.URL.Host != via[0].URL.Host:
		return http.ErrUseLastResponse
	case len(via) >= most:
		return fmt.Errorf("more than %d redirects", most)
	}
	return nil
}

func (s *Service) start(ctx context.Context) (err error) {
	if len(s.cfg.Command) > 0 { // it may be found wanting before anything else begins
		if err := findProgram(s.cfg.Command[0], s.cfg.Directory); err != nil {
			return fmt.Errorf("trigger.command: %w", err)
		}
	}
	if len(s.cfg.Start) > 0 {
		if s.answersReady(ctx) { // it, and not the program, would be measured
			return fmt.Errorf("ready: %s answers before start has begun: end what runs there, or leave start out", s.cfg.Ready)
		}
		if s.program, err = s.run(command.Name(s.cfg.Start), s.cfg.Start, nil); err != nil {
			return fmt.Errorf("start: %w", err)
		}
	}
	if s.cfg.Ready == "" {
		return nil
	}
	return s.awaitReady(ctx)
}

// answersReady reports whether something answers 2xx where the service does once it is ready.
func (s *Service) answersReady(ctx context.Context) bool {
	if s.cfg.Ready == "" {
		return false
	}
	a, err := s.ask(ctx, http.MethodGet, s.cfg.Ready, nil, nil)
	return err == nil && a.status/100 == 2
}

// awaitReady waits until the service answers 2xx.
func (s *Service) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.ReadyTimeout)
	defer cancel()
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	var last error
	for {
		a, err := s.ask(ctx, http.MethodGet, s.cfg.Ready, nil, nil)
		if err == nil && a.status/100 == 2 {
			s.version = versionOf(a.body)
			return nil
		}
		if err == nil {
			err = fmt.Errorf("it answered %d", a.status)
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-s.Ended():
			return fmt.Errorf("start: %s ended before it was ready (%s)%s", s.name, s.program.end, s.program.lastWords(s.secrets))
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ctx.Err()
			}
			words := ""
			if s.program != nil {
				words = s.program.lastWords(s.secrets)
			}
			return fmt.Errorf("ready: %s was not ready within %v: %s: %s%s", s.name, s.cfg.ReadyTimeout,
				s.cfg.Ready, s.show(cause(last)), words)
		}
	}
}

// versionOf returns the member version of a JSON object, or "".
func versionOf(body []byte) string {
	var of struct{ Version string }
	if json.Unmarshal(body, &of) != nil {
		return ""
	}
	return plaintext.Clip(plaintext.Line(of.Version), 64)
}

// Name returns a name for a service: that of its program, or of the trigger's, or else the host that
// the trigger's request goes to. Characters other than letters, digits, dots, dashes and underscores
// become dashes.
func Name(cfg Config) string {
	name := "service"
	switch {
	case len(cfg.Start) > 0:
		name = command.Name(cfg.Start)
	case len(cfg.Command) > 0:
		name = command.Name(cfg.Command)
	case cfg.Request != nil:
		_, rest, _ := strings.Cut(cfg.Request.URL, "://")
		name, _, _ = strings.Cut(rest, "/")
	}
	return command.Word(name)
}

// Name returns the name of the service.
func (s *Service) Name() string { return s.name }

// Version returns what the answer of Config.Ready gives as its version, or "".
func (s *Service) Version() string { return s.version }

// Ended returns a channel that is closed when the service has ended by itself. It is nil if the
// service wasn't started here.
func (s *Service) Ended() <-chan struct{} {
	if s.program == nil {
		return nil
	}
	return s.program.ended
}

// End says how the service ended, once [Service.Ended] is closed: "orchestrator ended (exit status 2);
// its last line on standard error: …".
func (s *Service) End() string {
	return fmt.Sprintf("%s ended (%s)%s", s.name, s.program.end, s.program.lastWords(s.secrets))
}

// An answer is the answer to a request.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// ask sends a request and reads the answer. Unless it has a body, it is limited in time.
func (s *Service) ask(ctx context.Context, method, url string, header http.Header, body io.Reader) (answer, error) {
	if body == nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, askTimeout)
		defer cancel()
	}
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return answer{}, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if host := header.Get("Host"); host != "" {
		request.Host = host
	}
	response, err := s.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	a := answer{status: response.StatusCode, header: response.Header}
	a.body, err = readAnswer(response.Body, maxAnswer)
	return a, err
}

// readAnswer reads the body of an answer. It returns an error if that has more than most bytes, since
// a part of a list of devices would be taken for the whole.
func readAnswer(body io.Reader, most int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(body, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("its answer has over %d bytes", most)
	}
	return text, err
}

// show returns text of a service for a message: without secrets, on one short line.
func (s *Service) show(text string) string { return command.Show(text, s.secrets) }

// Close ends everything that was started, with all that it has started in turn, and waits for it.
func (s *Service) Close() error {
	s.mu.Lock()
	programs := slices.Clone(s.programs)
	s.mu.Unlock()
	for _, p := range programs {
		p.close(s.cfg.CloseTimeout)
	}
	s.stop()
	s.running.Wait()
	s.client.CloseIdleConnections()
	return nil
}
