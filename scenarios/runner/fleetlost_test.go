//go:build unix

package runner

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/testenv"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/random"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// shortWatch is a watchdog for tests. A healthy fleet answers within its timeout, even on a busy
// machine.
var shortWatch = watchdog{interval: 50 * time.Millisecond, timeout: 2 * time.Second, hang: 300 * time.Millisecond}

// during is an observer that calls a function the first time that the repetition of a phase and
// number begins, progresses or ends.
type during struct {
	phase    Phase
	number   int
	begins   func()
	progress func()
	ends     func()
}

func (d *during) is(s Repetition) bool { return s.Phase == d.phase && s.Number == d.number }

func (d *during) Begin(s Repetition) {
	if d.is(s) && d.begins != nil {
		d.begins()
	}
}

func (d *during) Doing(Repetition, Activity) {}

func (d *during) Progress(s Repetition, v Progress) {
	if d.is(s) && d.progress != nil && v.Done > 0 {
		d.progress()
		d.progress = nil
	}
}

func (d *during) End(s Repetition, _ Progress) {
	if d.is(s) && d.ends != nil {
		d.ends()
	}
}

// requireLost checks the run directory of a run of lostSpec that lost its fleet in the second timed
// repetition: it has the first repetition whole, and the reason why there are no more.
func requireLost(t *testing.T, r *runner, err, want error, says string) {
	t.Helper()
	require.ErrorIs(t, err, want)
	run, loadErr := rundir.Load(r.dir.Path())
	require.NoError(t, loadErr)
	require.Empty(t, run.Warnings)
	require.Equal(t, results.StatusFailed, run.Status)
	require.Equal(t, results.Invalid, run.Verdict)
	require.Equal(t, 1, run.Repetitions)
	require.Len(t, run.RepetitionCounts, 1)
	require.Len(t, run.Records, 3)
	require.Len(t, run.Invalid, 1, "%v", run.Invalid)
	require.Contains(t, run.Invalid[0], says)
	requireIntervals(t, run.Path)
}

// lostSpec returns a scenario that runs for much longer than a test may.
func lostSpec() scenarios.Spec {
	s := small()
	s.Warmup, s.Profiled, s.Repetitions = 0, 0, 10_000
	return s
}

// TestFleetStoppedForGood checks that a run ends, with the reason, if its fleet's process was
// stopped. Such a process neither answers nor refuses connections.
func TestFleetStoppedForGood(t *testing.T) {
	testenv.Slow(t)
	for name, row := range map[string]struct {
		at     func(d *during, stop func())
		change func(*scenarios.Spec)
	}{
		"as operations begin":     {func(d *during, stop func()) { d.number, d.begins = 2, stop }, func(*scenarios.Spec) {}},
		"between two repetitions": {func(d *during, stop func()) { d.number, d.ends = 1, stop }, func(*scenarios.Spec) {}},
		"in the middle of a load": {func(d *during, stop func()) { d.number, d.progress = 2, stop }, func(s *scenarios.Spec) {
			s.Load.Duration = scenarios.Duration(time.Second)
		}},
		"an open load": {func(d *during, stop func()) { d.number, d.progress = 2, stop }, func(s *scenarios.Spec) {
			s.Load.Model, s.Load.Rate, s.Load.Duration = scenarios.ConstantRate, 100, scenarios.Duration(time.Second)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := lostSpec()
			row.change(&s)
			o := options(t, s)
			command, fleet := tellingItsPID(t)
			o.Target = target.Options{Command: command, Stderr: os.Stderr, StopTimeout: 100 * time.Millisecond}
			watch := &during{phase: Timed}
			row.at(watch, func() { stopProcess(t, fleet()) })
			o.Observer = watch
			r, err := begin(t.Context(), o)
			require.NoError(t, err)
			r.watchdog = shortWatch
			runErr := r.runRepetitions(t.Context())
			err = finish(t.Context(), r, runErr)
			if name == "between two repetitions" { // the first repetition has ended for the observer, but isn't reconciled yet
				require.ErrorIs(t, err, errTargetSilent)
				run, loadErr := rundir.Load(r.dir.Path())
				require.NoError(t, loadErr)
				require.Equal(t, results.StatusFailed, run.Status)
				require.Zero(t, run.Repetitions)
				require.Empty(t, run.Records)
			} else {
				requireLost(t, r, err, errTargetSilent,
					"the fleet was lost: nothing comes from its devices, and its control port did not answer within 2s")
			}
			require.ErrorContains(t, err, "the fleet's process did not end within 100ms of being told to: it was killed")
		})
	}
}

// TestFleetKilledInTheMiddle checks that what was measured before is kept.
func TestFleetKilledInTheMiddle(t *testing.T) {
	o := options(t, lostSpec())
	o.Target.Address = target.OwnProcess
	command, fleet := tellingItsPID(t)
	o.Target.Command = command
	o.Observer = &during{phase: Timed, number: 2, begins: func() { require.NoError(t, fleet().Kill()) }}
	r, err := begin(t.Context(), o)
	require.NoError(t, err)
	err = finish(t.Context(), r, r.runRepetitions(t.Context()))
	requireLost(t, r, err, target.ErrExited, target.ErrExited.Error())
	require.ErrorContains(t, err, "signal: killed")
}

// failing is a proxy to a control port that fails once it is told to.
type failing struct {
	http.Handler
	how atomic.Pointer[http.HandlerFunc]
}

func (f *failing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if how := f.how.Load(); how != nil {
		(*how)(w, r)
		return
	}
	f.Handler.ServeHTTP(w, r)
}

// TestControlConnectionLost checks a run whose devices still answer, but whose control port is
// gone. Without the ledger, a repetition can't be trusted.
func TestControlConnectionLost(t *testing.T) {
	for name, row := range map[string]struct {
		how  http.HandlerFunc
		says string
	}{
		"mute": {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			"the fleet was lost: nothing comes from its devices, and its control port did not answer within 2s"},
		"broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		"not itself": {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "gone", http.StatusBadGateway) },
			"status 502"},
	} {
		t.Run(name, func(t *testing.T) {
			s := lostSpec()
			fleet, err := mockfleet.Start(t.Context(), s.FleetConfig())
			require.NoError(t, err)
			defer func() { require.NoError(t, fleet.Close()) }()
			to, err := url.Parse(fleet.Ready().Control)
			require.NoError(t, err)
			proxy := httputil.NewSingleHostReverseProxy(to)
			proxy.Transport = &http.Transport{DisableKeepAlives: true}
			control := &failing{Handler: proxy}
			server := httptest.NewServer(control)
			defer server.Close()
			o := options(t, s)
			o.Target.Address, o.Target.Control, o.Target.Token = fleet.Ready().Address, server.URL, fleet.Ready().Token
			o.Observer = &during{phase: Timed, number: 2, begins: func() { control.how.Store(&row.how) }}
			r, err := begin(t.Context(), o)
			require.NoError(t, err)
			r.watchdog = shortWatch
			runErr := r.runRepetitions(t.Context())
			err = finish(t.Context(), r, runErr)
			requireLost(t, r, err, runErr, row.says)
		})
	}
}

// TestActivity checks that for a client that counts no bytes, operations that end are activity.
func TestActivity(t *testing.T) {
	s := &Session{recording: load.NewRecording(load.RecordingConfig{Op: delivery.OpPush, Devices: 3, Workers: 1})}
	require.Zero(t, s.activity(), "there is no client yet")
	c := &standIn{takes: func(int64) time.Duration { return 0 }}
	s.current.Store(&repetitionClient{Client: c})
	require.Zero(t, s.activity())
	devices := must(target.ListDevices("http://127.0.0.1:1", address.Path, netip.Prefix{}, address.Shard{}, 3))
	_, err := load.ClosedLoop{Workers: 1}.Run(t.Context(),
		load.Env{Client: c, Op: delivery.OpPush, Devices: devices, Record: s.recording})
	require.NoError(t, err)
	require.EqualValues(t, 3, s.activity())
}

// patient is a client that has no deadlines of its own.
type patient struct{ http http.Client }

func (p *patient) Push(ctx context.Context, d delivery.Device, u *delivery.Update) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Address+"/update", u.Artifact().Reader())
	if err != nil {
		return err
	}
	r.Header.Set("X-Update-Version", u.Version())
	answer, err := p.http.Do(r)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func (p *patient) Verify(context.Context, delivery.Device, *delivery.Update) error { return nil }

func (p *patient) Close() error {
	p.http.CloseIdleConnections()
	return nil
}

// TestAClientThatHangsEndsTheRun has devices that never answer, and a client that waits for them,
// in the load or before one that only verifies.
func TestAClientThatHangsEndsTheRun(t *testing.T) {
	for _, operation := range []delivery.Op{delivery.OpDeliver, delivery.OpVerify} {
		t.Run(string(operation), func(t *testing.T) {
			s := lostSpec()
			s.Fleet.Groups, s.Repetitions, s.Warmup, s.Load.Operation = nil, 1, 0, operation
			s.Fleet.Behavior.Network.RTT = must(random.Fixed(time.Hour))
			o := options(t, s)
			o.Client = &NamedClient{Name: "patient", New: func(client.Config) (client.Client, error) {
				return &patient{http.Client{Transport: &http.Transport{}}}, nil
			}}
			r, err := begin(t.Context(), o)
			require.NoError(t, err)
			r.watchdog = shortWatch
			err = finish(t.Context(), r, r.runRepetitions(t.Context()))
			require.ErrorIs(t, err, errClientHangs)
			require.ErrorContains(t, err, " of it run, and for 300ms nothing was sent or received: "+
				"give its requests a deadline, such as that of client.total_timeout")
			run, err := rundir.Load(r.dir.Path())
			require.NoError(t, err)
			require.Equal(t, results.StatusFailed, run.Status)
		})
	}
}
