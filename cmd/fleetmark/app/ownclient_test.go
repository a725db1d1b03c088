package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// acme is a client as another module may have it. before is called before each push.
type acme struct {
	http   *http.Client
	before func(ctx context.Context, push func() error) error
}

func (a *acme) do(ctx context.Context, method, url, version string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Update-Version", version)
	resp, err := a.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}

func (a *acme) Push(ctx context.Context, d client.Device, u *client.Update) error {
	push := func() error {
		body, err := io.ReadAll(u.Artifact().Reader())
		if err != nil {
			return err
		}
		return a.do(ctx, http.MethodPost, d.Address+"/update", u.Version(), body)
	}
	if a.before != nil {
		return a.before(ctx, push)
	}
	return push()
}

func (a *acme) Verify(ctx context.Context, d client.Device, _ *client.Update) error {
	return a.do(ctx, http.MethodGet, d.Address+"/version", "", nil)
}

func (a *acme) Close() error {
	a.http.CloseIdleConnections()
	return nil
}

// closes is acme with another Close.
type closes struct {
	*acme
	err error
}

func (c closes) Close() error { return errors.Join(c.acme.Close(), c.err) }

// TestRun_ownClient checks what a run says of a client of another module that can't be made, that
// fails, and that isn't honest, with its exit code.
func TestRun_ownClient(t *testing.T) {
	release := make(chan struct{})
	var leaked sync.WaitGroup
	defer leaked.Wait()
	defer close(release)
	good := func() *acme { return &acme{http: &http.Client{Transport: &http.Transport{}}} }
	does := func(before func(ctx context.Context, push func() error) error) client.New {
		return func(client.Config) (client.Client, error) {
			a := good()
			a.before = before
			return a, nil
		}
	}
	calls := 0
	for name, row := range map[string]struct {
		make   client.New
		code   int
		stdout string // what the results say
		stderr string // the whole of the only line, without "fleetmark: "; empty: whatever
	}{
		"honest": {does(nil), cli.ExitPass, "4 devices, 4 updated, 0 failed, 0 lost, 0 applied twice", ""},
		"no function": {nil, cli.ExitUsage, "",
			"Client: it can't be made: there is no function that makes it"},
		"New fails": {func(client.Config) (client.Client, error) { return nil, errors.New("no license for the fleet") }, cli.ExitUsage, "",
			"Client: it can't be made: no license for the fleet"},
		"New returns nil": {func(client.Config) (client.Client, error) { return nil, nil }, cli.ExitUsage, "",
			"Client: it can't be made: its New returned nil: want a client, or an error"},
		"New returns a nil pointer": {func(client.Config) (client.Client, error) { return (*acme)(nil), nil }, cli.ExitUsage, "",
			"Client: it can't be made: its New returned nil: want a client, or an error"},
		"New panics": {newPanics, cli.ExitUsage, "",
			"Client: it can't be made: its New panicked in PACKAGE.newPanics (ownclient_test.go:LINE): " +
				"runtime error: index out of range [0] with length 0"},
		"New fails later": {func(client.Config) (client.Client, error) {
			if calls++; calls > 1 {
				return nil, errors.New("no license for two")
			}
			return good(), nil
		}, cli.ExitInvalid, "invalid: making the client: no license for two", "making the client: no license for two"},
		"Close fails": {func(client.Config) (client.Client, error) { return closes{good(), errors.New("still busy")}, nil }, cli.ExitUsage, "",
			"Client: it can't be closed: still busy"},
		"claims without pushing": {does(func(context.Context, func() error) error { return nil }), cli.ExitInvalid,
			"invalid: the fleet's ledger contradicts the client: device 0: the client claims 1 successes, the ledger: it runs", ""},
		"pushes twice": {does(func(_ context.Context, push func() error) error { return errors.Join(push(), push()) }), cli.ExitInvalid,
			"invalid: the fleet's ledger contradicts the client: device 0: it received 2 pushes, the client says that it sent 1", ""},
		"leaks a goroutine a push": {does(func(_ context.Context, push func() error) error {
			leaked.Go(func() { waitHere(release) })
			return push()
		}), cli.ExitInvalid, "waitHere", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "leaks") { // it has some seconds to end them
				testenv.Slow(t)
			}
			t.Chdir(t.TempDir())
			var out, said bytes.Buffer
			code := Run(strings.Fields("acme run --fleet inprocess --devices 4 --size 1KiB --repeat 1 --warmup 0 --profiled 0 --no-progress"),
				Options{Out: &out, Err: &said, Client: &runner.NamedClient{Name: "acme", New: row.make}})
			require.Equal(t, row.code, code, "%s%s", &out, &said)
			require.Contains(t, out.String(), row.stdout)
			if row.stderr != "" {
				want := regexp.QuoteMeta(strings.ReplaceAll(row.stderr, "PACKAGE", reflect.TypeFor[acme]().PkgPath()))
				require.Regexp(t, "^fleetmark: "+strings.ReplaceAll(want, "LINE", `\d+`)+"\n$", said.String())
			}
		})
	}
}

func waitHere(release chan struct{}) { <-release }

func newPanics(client.Config) (client.Client, error) {
	var stages []string
	return nil, errors.New(stages[0])
}
