package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/runner"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// foreign is a client as another module may have it: it uses net/http, and only values of package
// delivery. It counts neither requests nor bytes, and has no rollout.
type foreign struct {
	http    *http.Client
	times   bool                // whether its reports have the times of a push and a verification
	deliver func(n int64) error // replaces delivery n, counted from 0; nil: deliver normally
	n       *atomic.Int64
	wrap    func(foreign) client.Client // may be nil
}

var errSkipped = errors.New("claim a success without a request")

func (f foreign) do(req *http.Request, into any) error {
	resp, err := f.http.Do(req)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	return json.Unmarshal(text, into)
}

func (f foreign) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Address+"/update", u.Artifact().Reader())
	if err != nil {
		return err
	}
	req.ContentLength = u.Artifact().Size()
	req.Header.Set("X-Update-Version", u.Version())
	var answer struct{ Success bool }
	if err := f.do(req, &answer); err != nil {
		return err
	}
	if !answer.Success {
		return errors.New("not taken")
	}
	return nil
}

func (f foreign) Verify(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.Address+"/version", http.NoBody)
	if err != nil {
		return err
	}
	var answer struct{ Version, Digest string }
	if err := f.do(req, &answer); err != nil {
		return err
	}
	if answer.Version != u.Version() || answer.Digest != u.Artifact().DigestHex() {
		return fmt.Errorf("it runs %s", answer.Version)
	}
	return nil
}

func (f foreign) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	if n := f.n.Add(1) - 1; f.deliver != nil {
		if err := f.deliver(n); errors.Is(err, errSkipped) {
			return delivery.Report{}, nil
		} else if err != nil {
			return delivery.Report{}, err
		}
	}
	start, report := time.Now(), delivery.Report{Pushes: 1}
	if err := f.Push(ctx, d, u); err != nil {
		return report, err
	}
	pushed := time.Now()
	report.Verifies = 1
	err := f.Verify(ctx, d, u)
	if f.times {
		report.Push, report.Verify = pushed.Sub(start), time.Since(pushed)
	}
	return report, err
}

func (f foreign) Close() error {
	f.http.CloseIdleConnections()
	return nil
}

// run runs a scenario with the client, on a fleet of 40 devices in this process.
func run(t *testing.T, f foreign, change func(*scenarios.Spec)) (*runner.Result, error) {
	t.Helper()
	s := scenarios.Default()
	s.Name, s.Fleet.Devices, s.Artifact.Size, s.Load.Workers = "foreign", 40, 3000, 4
	s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
	change(&s)
	f.n = new(atomic.Int64)
	machine, err := results.ThisMachine(t.Context())
	require.NoError(t, err)
	return runner.Run(t.Context(), runner.Options{
		Machine: machine, Spec: s, Target: target.Options{Address: target.InProcess, Stderr: os.Stderr},
		Out: filepath.Join(t.TempDir(), "runs"),
		Client: &runner.NamedClient{Name: "foreign", New: func(cfg client.Config) (client.Client, error) {
			f.http = &http.Client{Transport: &http.Transport{DialContext: cfg.Dial, MaxIdleConnsPerHost: 100}}
			if f.wrap != nil {
				return f.wrap(f), nil
			}
			return f, nil
		}},
	})
}

// TestForeignClient_units checks that what a client doesn't report is left out, rather than zero.
// The units are those of docs/reference/metrics.md, without the parts of a delivery if the client
// doesn't report them. Requests and bytes are those that the devices counted.
func TestForeignClient_units(t *testing.T) {
	times := []string{"ns/op", "p50-ns/op", "p75-ns/op", "p90-ns/op", "p95-ns/op", "p99-ns/op", "p99.9-ns/op",
		"max-ns/op", "service-p99-ns/op"}
	ofLoad := []string{"ops/s", "MB/s", "cpu-ns/op", "B/op", "allocs/op", "requests/device", "wire-B/device",
		"retries/device", "failed/device", "peak-rss-B"}
	for name, row := range map[string]struct {
		change func(*scenarios.Spec)
		times  bool
		want   map[string][]string // units by operation
	}{
		"deliver once": {func(*scenarios.Spec) {}, false, map[string][]string{
			"deliver": slices.Concat(times, ofLoad),
		}},
		"deliver once, the parts timed": {func(*scenarios.Spec) {}, true, map[string][]string{
			"push": times, "verify": times,
			"deliver": slices.Concat(times, ofLoad),
		}},
		"push at a constant rate": {func(s *scenarios.Spec) {
			s.Load.Model, s.Load.Operation, s.Load.Rate = scenarios.ConstantRate, delivery.OpPush, 100
		}, false, map[string][]string{
			"push": slices.Concat(times, ofLoad),
		}},
		"push for a time": {func(s *scenarios.Spec) { // before the load, each device answers that it lacks the update
			s.Load.Operation, s.Load.Duration = delivery.OpPush, scenarios.Duration(100*time.Millisecond)
		}, false, map[string][]string{"push": slices.Concat(times, ofLoad)}},
		"verify for a time": {func(s *scenarios.Spec) {
			s.Load.Operation, s.Load.Duration = delivery.OpVerify, scenarios.Duration(100*time.Millisecond)
		}, false, map[string][]string{
			"verify": slices.DeleteFunc(slices.Concat(times, ofLoad), func(unit string) bool { return unit == "MB/s" }),
		}},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := run(t, foreign{times: row.times}, row.change)
			require.NoError(t, err)
			for _, reason := range res.Run.Invalid {
				require.Contains(t, reason, "behind schedule", "only this may happen on a busy machine")
			}
			require.False(t, res.Run.Unconfirmed)
			require.Equal(t, results.Counts{Devices: 40, Updated: 40}, res.Run.Counts, "the ledger agrees")
			require.Empty(t, res.Run.Notes, "every connection was opened before the load")
			got := map[string][]string{}
			for _, r := range res.Records {
				for _, v := range r.Values {
					got[r.Op] = append(got[r.Op], v.Unit)
				}
				if requests, ok := r.Value(results.UnitRequests); ok {
					require.EqualValues(t, map[string]int{"push": 1, "verify": 1, "deliver": 2}[r.Op], requests)
					bytes, _ := r.Value(results.UnitWire)
					if r.Op != "verify" {
						bytes -= 3000 // the artifact
					}
					require.Less(t, 100.0, bytes)
					require.Less(t, bytes, 2000.0, "heads and answers")
				}
			}
			require.Equal(t, row.want, got)
		})
	}
}

// miscounting is a client that counts nothing of what it sends.
type miscounting struct{ foreign }

func (miscounting) Stats() client.Stats { return client.Stats{} }

// TestForeignClient_stats checks that the devices' counts of requests and bytes are reported, and that a
// note has the client's.
func TestForeignClient_stats(t *testing.T) {
	res, err := run(t, foreign{wrap: func(f foreign) client.Client { return miscounting{f} }}, func(*scenarios.Spec) {})
	require.NoError(t, err)
	r := res.Records[len(res.Records)-1]
	requests, _ := r.Value(results.UnitRequests)
	require.EqualValues(t, 2, requests)
	bytes, _ := r.Value(results.UnitWire)
	require.Greater(t, bytes, 3000.0)
	require.Len(t, res.Run.Notes, 1)
	require.Regexp(t, `^the client says that it sent 0 requests, and sent and received 0 bytes; `+
		`the devices counted 80 and 1\d\d,\d\d\d$`, res.Run.Notes[0])
}

// quotaError is an error that reports its class and status by the methods that package load
// documents.
type quotaError struct{}

func (quotaError) Error() string   { return "no quota" }
func (quotaError) Class() string   { return "quota" }
func (quotaError) StatusCode() int { return http.StatusTooManyRequests }

func TestForeignClient_failures(t *testing.T) {
	fails := []error{fmt.Errorf("deliver: %w", quotaError{}), fmt.Errorf("deliver: %w", context.DeadlineExceeded),
		os.ErrDeadlineExceeded, errors.New("boom")}
	res, err := run(t, foreign{deliver: func(n int64) error {
		if n < int64(len(fails)) {
			return fails[n]
		}
		return nil
	}}, func(s *scenarios.Spec) { s.Load.Workers = 1 })
	require.NoError(t, err)
	require.True(t, res.Run.Valid, "%v", res.Run.Invalid)
	require.Equal(t, results.Counts{Devices: 40, Updated: 36, Failed: 4}, res.Run.Counts)
	text, err := os.ReadFile(filepath.Join(res.Directory, rundir.FailuresFile))
	require.NoError(t, err)
	type failure struct {
		Device, Status int
		Class, Error   string
	}
	var got []failure
	for line := range bytes.Lines(text) {
		var f failure
		require.NoError(t, json.Unmarshal(line, &f))
		got = append(got, f)
	}
	require.Equal(t, []failure{
		{0, 429, "quota", "deliver: no quota"}, {1, 0, "timeout", "deliver: context deadline exceeded"},
		{2, 0, "timeout", "i/o timeout"}, {3, 0, "unknown", "boom"},
	}, got)
}

func TestForeignClient_contradicted(t *testing.T) {
	res, err := run(t, foreign{deliver: func(n int64) error {
		if n == 0 {
			return errSkipped
		}
		return nil
	}}, func(s *scenarios.Spec) { s.Load.Workers = 1 })
	require.NoError(t, err)
	require.Equal(t, results.Counts{Devices: 40, Updated: 39, Lost: 1}, res.Run.Counts)
	require.Len(t, res.Run.Invalid, 1)
	require.Contains(t, res.Run.Invalid[0], "device 0: the client claims 1 successes, the ledger knows nothing of it")
}

// TestForeignClient_leak checks that goroutines of the client's package count as the client's, even
// without its label.
func TestForeignClient_leak(t *testing.T) {
	testenv.Slow(t)
	stop := make(chan struct{})
	defer close(stop)
	res, err := run(t, foreign{deliver: func(int64) error {
		go func() {
			pprof.SetGoroutineLabels(context.Background())
			<-stop
		}()
		return nil
	}}, func(s *scenarios.Spec) {})
	require.NoError(t, err)
	require.Len(t, res.Run.Invalid, 1)
	require.Contains(t, res.Run.Invalid[0], "40 more goroutines")
}

func TestForeignClient_rolloutRefused(t *testing.T) {
	_, err := run(t, foreign{}, func(s *scenarios.Spec) { s.Load.Model = scenarios.Rollout })
	var refused *scenarios.OptionError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "load.model", refused.Option)
	require.ErrorContains(t, err, "the client has no rollout of its own")
}
