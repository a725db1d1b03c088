package rollout

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// pipedDevices returns a Dial to devices in the same bubble of fake time as their client. It
// returns one end of a pipe; serve gets the other.
func pipedDevices(serve func(net.Conn)) func(context.Context, string, string) (net.Conn, error) {
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer far.Close()
			serve(far)
		}()
		return near, nil
	}
}

// arrivals records when bytes of artifacts came.
type arrivals struct {
	mu  sync.Mutex
	all []arrival
}

type arrival struct {
	at time.Time
	n  int
}

// read reads a body as it comes.
func (a *arrivals) read(r io.Reader) {
	b := make([]byte, 1<<20)
	for {
		n, err := r.Read(b)
		a.mu.Lock()
		a.all = append(a.all, arrival{time.Now(), n})
		a.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// within returns the largest number of bytes that came in any window of that length.
func (a *arrivals) within(window time.Duration) (most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	slices.SortFunc(a.all, func(x, y arrival) int { return x.at.Compare(y.at) })
	sum, from := 0, 0
	for _, x := range a.all {
		sum += x.n
		for ; x.at.Sub(a.all[from].at) > window; from++ {
			sum -= a.all[from].n
		}
		most = max(most, sum)
	}
	return most
}

// TestRolloutBytesPerSecond checks that what all devices together are sent keeps to the rate, in
// every second. The waits for the rate must not count against the deadlines, which are so short
// that each device would otherwise be given up.
func TestRolloutBytesPerSecond(t *testing.T) {
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const devices, size, rate = 8, 100_000, 50_000
				var came arrivals
				dial := pipedDevices(func(c net.Conn) {
					br := bufio.NewReader(c)
					for {
						r, err := http.ReadRequest(br)
						if err != nil {
							return
						}
						if r.Method == http.MethodPost {
							came.read(r.Body)
						}
						if _, err := io.WriteString(c, deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush)); err != nil {
							return
						}
					}
				})
				c, err := delivery.New(delivery.Config{Transport: transport, Dial: dial, Retry: delivery.Retry{MaxAttempts: 1},
					Timeouts: delivery.Timeouts{
						Answer: time.Second, Total: 2 * time.Second,
						LeastProgress: delivery.LeastProgress{PerSecond: 2 * rate / devices, Window: 500 * time.Millisecond},
					}})
				require.NoError(t, err)
				defer c.Close()
				begun := time.Now()
				pushed := &pushing{c}
				r := newRollout(pushed, newUpdate(t, "2", make([]byte, size)), Options{Workers: 4, BytesPerSecond: rate})
				report, err := r.Run(t.Context(), addresses(devices))
				require.NoError(t, err)
				require.Equal(t, devices, report.Updated, "%v", report)
				took := time.Since(begun).Seconds()
				require.InDelta(t, devices*size/rate, took, 0.5)
				const piece = rate / 20
				const oneWrite = 2 << 10 // fits into one write with the head of a request over lean
				require.LessOrEqual(t, came.within(time.Second), rate+4*piece+oneWrite)
				require.GreaterOrEqual(t, came.within(time.Second), rate*9/10)
			})
		})
	}
}

// pushing is a client whose Deliver only pushes.
type pushing struct{ *delivery.Client }

func (p *pushing) Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error) {
	return delivery.Report{Pushes: 1}, p.Push(ctx, d, u)
}

// addresses returns n devices that have only an address.
func addresses(n int) func(func(delivery.Device) bool) {
	return func(yield func(delivery.Device) bool) {
		for i := range n {
			if !yield(delivery.Device{Address: fmt.Sprintf("http://192.0.2.%d", i)}) {
				return
			}
		}
	}
}

// TestRolloutBytesPerSecondEnds checks that a cancel ends an upload at once while the rate holds it
// back.
func TestRolloutBytesPerSecondEnds(t *testing.T) {
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dial := pipedDevices(func(c net.Conn) {
					_, _ = io.Copy(io.Discard, c)
				})
				c, err := delivery.New(delivery.Config{Transport: transport, Dial: dial})
				require.NoError(t, err)
				defer c.Close()
				ctx, cancel := context.WithCancel(t.Context())
				begun := time.Now()
				time.AfterFunc(10*time.Second, cancel)
				r := newRollout(c, newUpdate(t, "2", make([]byte, 1<<20)), Options{BytesPerSecond: 1 << 10})
				report, err := r.Run(ctx, addresses(3))
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, 3, report.Interrupted)
				require.Less(t, time.Since(begun), 11*time.Second)
			})
		})
	}
}
