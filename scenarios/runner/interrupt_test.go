//go:build unix

package runner

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// TestInterruptKeepsWhatWasMeasured checks what run.json and the records hold after an interruption in
// each phase. TestInterruptKeepsWhatWasMeasured of package app sends the command a signal instead,
// and checks its exit code, its reports, and that its fleet ends.
func TestInterruptKeepsWhatWasMeasured(t *testing.T) {
	for _, row := range []struct {
		phase  Phase
		number int
		kept   int
	}{{WarmUp, 1, 0}, {Timed, 2, 1}, {Profiled, 1, 2}} {
		ctx, cancel := context.WithCancel(t.Context())
		o := options(t, small())
		o.Observer = &atRepetition{phase: row.phase, number: row.number, do: cancel}
		res, err := Run(ctx, o)
		require.NoError(t, err)
		run, err := rundir.Load(res.Directory)
		require.NoError(t, err)
		require.Equal(t, results.StatusInterrupted, run.Status)
		require.Equal(t, row.kept, run.Repetitions)
		require.Len(t, run.Records, 3*row.kept)
		require.Empty(t, run.Verdict, "what was not finished is not judged")
	}
}

// canceling starts a server that calls cancel when it receives a request for path, and never
// answers that request. It passes all other requests to another server.
func canceling(t *testing.T, cancel func(), path, other string) string {
	to, err := url.Parse(other)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = &http.Transport{DisableKeepAlives: true}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			proxy.ServeHTTP(w, r)
			return
		}
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestInterruptBeforeItBegan checks that a cancel during any step that prepares a run is reported
// as a cancel, not as the user's mistake, and leaves nothing behind.
func TestInterruptBeforeItBegan(t *testing.T) {
	s := small()
	s.Fleet.Addressing = address.Path
	file := filepath.Join(t.TempDir(), "artifact")
	require.NoError(t, os.WriteFile(file, []byte("x"), 0o600))
	for name, ready := range map[string]func(t *testing.T, o *Options, cancel func()){
		"a file is hashed": func(_ *testing.T, o *Options, cancel func()) { o.Spec.Artifact.File = file; cancel() },
		"an artifact is made": func(_ *testing.T, o *Options,
			cancel func()) {
			o.Spec.Artifact.Size = maxInMemory + 1
			cancel()
		},
		"the fleet is started": func(_ *testing.T, _ *Options, cancel func()) { cancel() },
		"a process is started": func(_ *testing.T, o *Options,
			cancel func()) {
			o.Target.Address = target.OwnProcess
			cancel()
		},
		"devices are listed": func(_ *testing.T, o *Options, cancel func()) { o.Target.DeviceFile = file; cancel() },
		"the fleet comes up": func(t *testing.T, o *Options, cancel func()) {
			up := filepath.Join(t.TempDir(), "up")
			require.NoError(t, syscall.Mkfifo(up, 0o600))
			go func() {
				_, _ = os.ReadFile(up) // until the process has opened and closed it
				cancel()
			}()
			// The process reads its order, signals that it runs, and waits for the end of its input.
			o.Target.Address, o.Target.Command = target.OwnProcess, []string{"/bin/sh", "-c",
				"read order; : > " + up + "; read end"}
		},
		"a device's health is asked": func(t *testing.T, o *Options, cancel func()) {
			o.Target.Address = canceling(t, cancel, "/d/0/health", "http://127.0.0.1:1")
		},
		"the control port is asked": func(t *testing.T, o *Options, cancel func()) {
			fleet, err := mockfleet.Start(t.Context(), o.Spec.FleetConfig())
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, fleet.Close()) })
			ready := fleet.Ready()
			o.Target.Address, o.Target.Token = ready.Address, ready.Token
			o.Target.Control = canceling(t, cancel, "/fleet", ready.Control)
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := options(t, s)
			o.Target.Command = fleetCommand(t)
			ready(t, &o, cancel)
			res, err := Run(ctx, o)
			require.ErrorIs(t, err, context.Canceled)
			_, option := errors.AsType[*scenarios.OptionError](err)
			require.False(t, option, "%v", err)
			require.NotContains(t, err.Error(), "did not come up")
			require.Nil(t, res)
			require.NoDirExists(t, o.Out)
		})
	}
}

// TestInterruptBeforeTheFirstRepetition checks that a run directory which exists already says that
// the run was interrupted, and has no verdict. Package app tests what the command prints then.
func TestInterruptBeforeTheFirstRepetition(t *testing.T) {
	s := small()
	fleet, err := mockfleet.Start(t.Context(), s.FleetConfig())
	require.NoError(t, err)
	defer func() { require.NoError(t, fleet.Close()) }()
	ready := fleet.Ready()
	because := errors.New("a signal came")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	o := options(t, s)
	o.Target.Address, o.Target.Token = ready.Address, ready.Token
	o.Target.Control = canceling(t, func() { cancel(because) }, "/reset", ready.Control)
	res, err := Run(ctx, o)
	require.NoError(t, err)
	run, err := rundir.Load(res.Directory)
	require.NoError(t, err)
	require.Equal(t, results.StatusInterrupted, run.Status)
	require.True(t, run.Valid)
	require.Empty(t, run.Verdict)
}

// TestInterruptedWarmUpHasNoVerdict checks that not even a ledger that contradicts the client gives
// a verdict: no repetition was measured that could be invalid.
func TestInterruptedWarmUpHasNoVerdict(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	o := options(t, small())
	o.Observer = &atRepetition{phase: Timed, number: 1, do: cancel}
	r, err := begin(ctx, o)
	require.NoError(t, err)
	r.target = &strained{Target: r.target, contradictAt: 1}
	require.NoError(t, finish(ctx, r, r.runRepetitions(ctx)))
	require.Equal(t, results.StatusInterrupted, r.run.Status)
	require.Empty(t, r.run.Verdict)
}
