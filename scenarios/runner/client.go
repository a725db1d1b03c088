package runner

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// resolveHeader returns the header fields that the client sends. Values that aren't in the scenario
// come from the environment. If a variable isn't set, the error is a *scenarios.OptionError.
func resolveHeader(s scenarios.ClientSpec) (http.Header, error) {
	if len(s.Headers) == 0 {
		return nil, nil
	}
	h := make(http.Header, len(s.Headers))
	for _, field := range s.Headers {
		value := field.Value
		if field.Env != "" {
			var set bool
			if value, set = os.LookupEnv(field.Env); !set || value == "" {
				return nil, &scenarios.OptionError{
					Option: "client.headers", Want: "give it the value",
					Problem: fmt.Sprintf("%s: the environment variable %s is not set", field.Name, field.Env),
				}
			}
		}
		h.Add(field.Name, value)
	}
	return h, nil
}

// caPool returns a TLS configuration that trusts exactly the PEM certificates in text, or nil if
// there are none.
func caPool(text []byte) *tls.Config {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil
	}
	return &tls.Config{RootCAs: roots}
}

// tlsConfig returns the TLS configuration for client.ca. It returns nil if the scenario names none;
// the client then trusts the fleet's own CA, or the system's.
func tlsConfig(s scenarios.ClientSpec) (*tls.Config, error) {
	if s.CA == "" {
		return nil, nil
	}
	text, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, &scenarios.OptionError{Option: "client.ca", Value: s.CA, Err: scenarios.WithoutPath(err)}
	}
	trusted := caPool(plaintext.Decode(text))
	if trusted == nil {
		return nil, &scenarios.OptionError{
			Option: "client.ca", Value: s.CA, Want: "want certificates in PEM, such as the ca of a fleet's first line",
		}
	}
	return trusted, nil
}

// A NamedClient is a client of another module, and what a run calls it.
type NamedClient struct {
	Name string     // a word for tables and files, such as "acme"
	New  client.New // makes the client of a repetition
}

// A clientFactory makes the client of each repetition.
type clientFactory struct {
	newClient func(context.Context, delivery.Config) (load.Client, error)
	config    delivery.Config
	seed      uint64
	shard     int                           // index of the shard, so that the retries of two have different jitter
	wrap      func(load.Client) load.Client // wraps each client; may be nil

	closeTimeout time.Duration // 0: closeTimeout

	// added is the number of verifications that a wrapped client sends in each operation that
	// pushes, besides those that it reports.
	added int
}

// A repetitionClient is the client of one repetition.
type repetitionClient struct {
	load.Client
	driven load.Client // the client, wrapped
	dialer *dialer
}

// stats returns what the client has counted, or nil if it doesn't count.
func (c repetitionClient) stats() *delivery.Stats {
	if stats, ok := c.count(); ok {
		return &stats
	}
	return nil
}

// count returns what the client has counted. It reports whether the client counts.
func (c repetitionClient) count() (stats delivery.Stats, ok bool) {
	if r, ok := c.Client.(load.StatsReporter); ok {
		return r.Stats(), true
	}
	return delivery.Stats{}, false
}

// open makes the client of a repetition. Each repetition has its own client, so that no connection
// and no state of the jitter's random numbers is left from the last one.
func (f *clientFactory) open(ctx context.Context, number int) (c repetitionClient, err error) {
	c.dialer = &dialer{}
	cfg := f.config
	cfg.Random, cfg.Dial = rand.NewPCG(f.seed, uint64(f.shard)<<32|uint64(number)), c.dialer.dial
	health.DoAsClient(ctx, func(ctx context.Context) { c.Client, err = f.newClient(ctx, cfg) })
	if err != nil {
		return c, err
	}
	c.driven = c.Client
	if f.wrap != nil {
		c.driven = f.wrap(c.driven)
	}
	return c, nil
}

// foreign returns a function that makes the client of another module.
func (s *Session) foreign(c *NamedClient) func(context.Context, delivery.Config) (load.Client, error) {
	_, workers := s.spec.Load.WorkerRange()
	spec := s.spec.Client
	return func(_ context.Context, cfg delivery.Config) (load.Client, error) {
		config := client.Config{
			Workers: workers, TLS: cfg.TLS.Clone(), Header: cfg.Header.Clone(), Dial: cfg.Dial,
			DialTimeout: spec.DialTimeout.Std(), AnswerTimeout: spec.AnswerTimeout.Std(), TotalTimeout: spec.TotalTimeout.Std(),
			MaxAttempts: spec.MaxAttempts, MaxIdle: spec.MaxIdle,
		}
		if cfg.Random != nil {
			config.Seed = cfg.Random.Uint64()
		}
		made, err := c.make(config)
		if err != nil {
			return nil, err
		}
		return client.WithDeliver(made), nil
	}
}

// make calls New. It returns an error if that panics, or returns no client.
func (c *NamedClient) make(cfg client.Config) (made client.Client, err error) {
	if c.New == nil {
		return nil, errors.New("there is no function that makes it")
	}
	defer func() {
		if r := recover(); r != nil {
			made, err = nil, fmt.Errorf("its New panicked%s: %s", panicPlace(), plaintext.Line(fmt.Sprint(r)))
		}
	}()
	if made, err = c.New(cfg); err != nil {
		return nil, err
	}
	if v := reflect.ValueOf(made); !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, errors.New("its New returned nil: want a client, or an error")
	}
	return made, nil
}

// panicPlace returns the function and line that panicked, as in " in main.newClient (main.go:17)".
// A deferred function that recovers must call it.
func panicPlace() string {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(0, pc)])
	for panicked := false; ; {
		f, more := frames.Next()
		if panicked && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf(" in %s (%s:%d)", f.Function, filepath.Base(f.File), f.Line)
		}
		if panicked = panicked || f.Function == "runtime.gopanic"; !more {
			return ""
		}
	}
}

// closeTimeout is how long a client may take to close.
const closeTimeout = 10 * time.Second

// close closes a client. It returns an error if that takes too long.
func (f *clientFactory) close(c load.Client) error {
	done := make(chan error, 1)
	go func() { done <- c.Close() }() // if it doesn't return, the run is over
	limit := cmp.Or(f.closeTimeout, closeTimeout)
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case err := <-done:
		return err
	case <-late.C:
		return fmt.Errorf("its Close has not returned within %v: want it to end what the client has begun", limit)
	}
}

// tryClient makes a client of another module and closes it, so that no run begins whose client
// can't be made. It returns the import path of the client's package.
func (f *clientFactory) tryClient(ctx context.Context, model scenarios.Model) (path string, err error) {
	c, err := f.newClient(ctx, f.config)
	if err != nil {
		return "", &scenarios.OptionError{Option: "Client", Problem: "it can't be made", Err: err}
	}
	if _, ok := c.(load.Rollouter); !ok && model == scenarios.Rollout {
		err = &scenarios.OptionError{
			Option: "load.model", Value: string(model), Problem: "the client has no rollout of its own",
			Want: "give it a method Rollout, or choose another model",
		}
	}
	t := reflect.TypeOf(client.Unwrap(c))
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if closed := f.close(c); closed != nil {
		err = errors.Join(err, &scenarios.OptionError{Option: "Client", Problem: "it can't be closed", Err: closed})
	}
	return t.PkgPath(), err
}

// buildOf returns the import path of a package of this program, which is "main" in the names of
// functions if it is the program's own, and the version of the package's module. The version is ""
// for the program's own module, and if it isn't known.
func buildOf(pkg string) (path, version string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return pkg, ""
	}
	if pkg == "main" {
		return cmp.Or(info.Path, pkg), ""
	}
	longest := ""
	for _, m := range info.Deps {
		if within := pkg == m.Path || strings.HasPrefix(pkg, m.Path+"/"); within && len(m.Path) > len(longest) {
			if longest, version = m.Path, m.Version; m.Replace != nil {
				version = m.Replace.Version
			}
		}
	}
	return pkg, version
}

// A deliveryClient is the client of package delivery, which a run drives by default.
type deliveryClient struct{ *delivery.Client }

func newDeliveryClient(_ context.Context, cfg delivery.Config) (load.Client, error) {
	c, err := delivery.New(cfg)
	if err != nil {
		return nil, err
	}
	return deliveryClient{c}, nil
}

// Rollout implements [load.Rollouter].
func (c deliveryClient) Rollout(
	ctx context.Context, devices iter.Seq[delivery.Device], u *delivery.Update, opts rollout.Options,
) (rollout.Report, error) {
	return rollout.Run(ctx, c.Client, devices, u, opts)
}

// Close implements [load.Client].
func (c deliveryClient) Close() error {
	c.Client.Close()
	return nil
}
