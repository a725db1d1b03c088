package runner

import (
	"context"
	"net"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// leaky is a client that leaves something behind in every few deliveries.
type leaky struct {
	load.Client
	leave func(delivery.Device, *delivery.Update)
	every int64
	n     *atomic.Int64
}

func (l leaky) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	if l.n.Add(1)%l.every == 0 {
		l.leave(d, u)
	}
	return l.Client.Deliver(ctx, d, u)
}

// left holds what clients left behind, to be released after the test.
type left struct {
	mu    sync.Mutex
	files []interface{ Close() error }
	bytes [][]byte
	wait  sync.WaitGroup
}

func (l *left) keep(t *testing.T, c interface{ Close() error }, err error) {
	if err != nil {
		t.Error(err)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = append(l.files, c)
}

func (l *left) putAway() {
	for _, f := range l.files {
		_ = f.Close()
	}
}

// leak runs a small scenario whose client leaks something of a kind, or nothing if kind is empty.
func leak(t *testing.T, kind string, every int64) results.Run {
	t.Helper()
	l := &left{}
	defer l.putAway()
	ctx, cancel := context.WithCancel(t.Context())
	defer l.wait.Wait()
	defer cancel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp",
		"127.0.0.1:0") // accepts connections, but never answers
	l.keep(t, silent, err)
	other, err := delivery.New(delivery.Config{Timeouts: delivery.Timeouts{Answer: time.Hour, Total: time.Hour}})
	require.NoError(t, err)
	defer other.Close()
	s := small()
	s.Profiled = 0
	o := options(t, s)
	var n atomic.Int64
	leave := map[string]func(delivery.Device, *delivery.Update){
		"goroutine": func(_ delivery.Device, u *delivery.Update) {
			l.wait.Go(func() { _ = other.Verify(ctx, delivery.Device{Address: "http://" + silent.Addr().String()}, u) })
		},
		"connection": func(d delivery.Device, _ *delivery.Update) {
			host, _, _ := strings.Cut(strings.TrimPrefix(d.Address, "http://"), "/")
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", host)
			l.keep(t, c, err)
		},
		"memory": func(delivery.Device, *delivery.Update) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.bytes = append(l.bytes, make([]byte, 4<<20))
		},
		"descriptor": func(delivery.Device, *delivery.Update) {
			f, err := os.Open(os.DevNull)
			l.keep(t, f, err)
		},
	}[kind]
	if leave != nil {
		o.wrap = func(c load.Client) load.Client { return leaky{c, leave, every, &n} }
	}
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	runtime.KeepAlive(l)
	return r.Run
}

// TestLeaksAreFound checks that each of four kinds of leaks is found, and that no leak is reported
// in a run without one. If FLEETMARK_LEAKS is set, it repeats three of the kinds ten times and the
// run without a leak thirty times.
func TestLeaksAreFound(t *testing.T) {
	testenv.Slow(t)
	for kind, says := range map[string]string{"goroutine": "more goroutines", "connection": "more connections",
		"descriptor": "more file descriptors", "memory": "MiB more live on the heap"} {
		t.Run(kind, func(t *testing.T) {
			times := 2
			if kind == "memory" {
				times = 1 // a leak in every delivery
			} else if os.Getenv("FLEETMARK_LEAKS") != "" { // each run waits some seconds for the release that doesn't come
				times = 10
			}
			for i := range times {
				run := leak(t, kind, int64(1+i))
				require.False(t, run.Valid)
				require.Contains(t, strings.Join(run.Invalid, "\n"), says)
				if kind == "goroutine" {
					require.Contains(t, strings.Join(run.Invalid, "\n"), "delivery.(*Client).Verify")
				}
			}
		})
	}
	t.Run("none", func(t *testing.T) {
		for range 30 {
			run := leak(t, "", 1)
			require.NotContains(t, strings.Join(run.Invalid, "\n"), "a leak")
		}
	})
}

// TestALeakIsFoundByItsPackage checks that goroutines whose label the client removed are found by
// the names of its packages.
func TestALeakIsFoundByItsPackage(t *testing.T) {
	testenv.Slow(t)
	for name, packages := range map[string][]string{"named": {"github.com/fleetmark/fleetmark/scenarios/runner.unlabeled."}, "not named": nil} {
		t.Run(name, func(t *testing.T) {
			s := small()
			s.Repetitions, s.Warmup, s.Profiled = 1, 0, 0
			end := make(chan struct{})
			defer close(end)
			o := options(t, s)
			o.ClientPackages = packages
			o.wrap = func(c load.Client) load.Client { return unlabeled{c, end} }
			r, err := Run(t.Context(), o)
			require.NoError(t, err)
			require.Equal(t, packages != nil, strings.Contains(strings.Join(r.Run.Invalid, "\n"), "more goroutines"), "%v",
				r.Run.Invalid)
		})
	}
}

// unlabeled is a client that starts a goroutine in each delivery, which removes its labels and
// waits until the end of the test.
type unlabeled struct {
	load.Client
	end chan struct{}
}

func (u unlabeled) Deliver(ctx context.Context, d delivery.Device, update *delivery.Update) (delivery.Report, error) {
	go u.wait()
	return u.Client.Deliver(ctx, d, update)
}

func (u unlabeled) wait() {
	pprof.SetGoroutineLabels(context.Background())
	<-u.end
}
