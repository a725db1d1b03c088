package runner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"net/http"
	"os"
	"reflect"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
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

// A clientFactory makes the client of each repetition.
type clientFactory struct {
	newClient load.NewClient
	config    delivery.Config
	seed      uint64
	wrap      func(load.Client) load.Client // wraps each client; may be nil

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
	cfg.Random, cfg.Dial = rand.NewPCG(f.seed, uint64(number)), c.dialer.dial
	health.DoAsClient(ctx, func(context.Context) { c.Client, err = f.newClient(cfg) })
	if err != nil {
		return c, err
	}
	c.driven = c.Client
	if f.wrap != nil {
		c.driven = f.wrap(c.driven)
	}
	return c, nil
}

// tryClient makes a client of another module and closes it, so that no run begins whose client
// can't be made. It returns the import path of the client's package.
func (f *clientFactory) tryClient(model scenarios.Model) (path string, err error) {
	c, err := f.newClient(f.config)
	if err != nil {
		return "", &scenarios.OptionError{Option: "Client", Problem: "it can't be made", Err: err}
	}
	if _, ok := c.(load.Rollouter); !ok && model == scenarios.Rollout {
		err = &scenarios.OptionError{
			Option: "load.model", Value: string(model), Problem: "the client has no rollout of its own",
			Want: "give it a method Rollout, or choose another model",
		}
	}
	t := reflect.TypeOf(c)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath(), errors.Join(err, c.Close())
}

// A deliveryClient is the client of package delivery, which a run drives by default.
type deliveryClient struct{ *delivery.Client }

func newDeliveryClient(cfg delivery.Config) (load.Client, error) {
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
