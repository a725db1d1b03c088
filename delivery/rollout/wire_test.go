package rollout

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

// wireFleet serves devices behind bare connections in memory. In a synctest bubble, a test of hours
// takes a moment, and everything between the rollout and the bytes is real.
type wireFleet struct {
	// answer returns the answer of a device, as the script of scriptedDevice does. Request n of a
	// device is its nth over all connections, from 1. It is called by one goroutine at a time.
	answer func(host string, n int, r *http.Request) string
	// refuses, if not nil, reports whether a device refuses a connection.
	refuses func(host string, n int) bool

	mu       sync.Mutex
	dials    map[string]int
	requests map[string]int
	pushes   map[string]int
	at       map[string][]time.Time // of pushes
}

func (f *wireFleet) dial(_ context.Context, _, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dials == nil {
		f.dials, f.requests, f.pushes, f.at = map[string]int{}, map[string]int{}, map[string]int{}, map[string][]time.Time{}
	}
	f.dials[host]++
	if f.refuses != nil && f.refuses(host, f.dials[host]) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	near, far := net.Pipe()
	go f.serve(host, far) // ends when the client closes the connection
	return near, nil
}

func (f *wireFleet) serve(host string, c net.Conn) {
	defer c.Close()
	for br := bufio.NewReader(c); ; {
		r, err := http.ReadRequest(br)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		f.mu.Lock()
		f.requests[host]++
		if r.Method == http.MethodPost {
			f.pushes[host]++
			f.at[host] = append(f.at[host], time.Now())
		}
		text := f.answer(host, f.requests[host], r)
		f.mu.Unlock()
		if text == "" {
			return
		}
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}

// client returns a client with all the defaults, except that it connects to the fleet.
func (f *wireFleet) client(t testing.TB, tr delivery.Transport) *delivery.Client {
	return newClient(t, delivery.Config{Transport: tr, Dial: f.dial})
}

// overBothInABubble runs a test over each transport, in a bubble of synctest each.
func overBothInABubble(t *testing.T, test func(t *testing.T, tr delivery.Transport)) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, tr) })
		})
	}
}

// journalOf writes a journal with the first line for u, and these records.
func journalOf(t testing.TB, u *delivery.Update, records ...journalRecord) string {
	t.Helper()
	var text []byte
	for _, r := range append([]journalRecord{headerOf(u)}, records...) {
		line, err := r.encode()
		require.NoError(t, err)
		text = append(text, line...)
	}
	path := journalPath(t)
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func recordOf(d delivery.Device, event string) journalRecord {
	key, _ := endpoint.Fingerprint(d.ID, d.Address)
	return turn{device: d, key: key}.record(event)
}

// TestResumedRolloutWaitsForARebootDespiteItsBreaker has a device that a killed run began and that
// reboots for a minute. With the defaults, the breaker opens after five failures in a row, for 30
// s. The device is looked at every second all the same, and must be right twice.
func TestResumedRolloutWaitsForARebootDespiteItsBreaker(t *testing.T) {
	overBothInABubble(t, func(t *testing.T, tr delivery.Transport) {
		u, dev, began := newUpdate(t, "2", []byte("x")), delivery.Device{Address: "http://till-17"}, time.Now()
		f := &wireFleet{
			refuses: func(string, int) bool { return time.Since(began) < time.Minute },
			answer:  func(_ string, _ int, r *http.Request) string { return deliverytest.Good(r) },
		}
		c := f.client(t, tr)
		defer c.Close()
		cfg := Options{Journal: Journal{Path: journalOf(t, u, recordOf(dev, eventBegun))}}
		report, err := Run(t.Context(), c, func(yield func(delivery.Device) bool) { yield(dev) }, u, cfg)
		require.NoError(t, err)
		require.Equal(t, []int{1, 0, 62}, []int{report.HadIt, report.Pushes, report.Verifies},
			"a look a second, and one more")
		require.Equal(t, 61, f.dials["till-17"])
		require.Equal(t, 61*time.Second, time.Since(began))
		require.Zero(t, c.Stats().Spared)
	})
}

// TestRolloutAsksNobodyWhoseBreakerIsOpen checks that an open breaker prevents a look, and that the
// breaker counts the results of looks.
func TestRolloutAsksNobodyWhoseBreakerIsOpen(t *testing.T) {
	overBothInABubble(t, func(t *testing.T, tr delivery.Transport) {
		u, dev := newUpdate(t, "2", []byte("x")), delivery.Device{Address: "http://till-17"}
		f := &wireFleet{refuses: func(string, int) bool { return true }}
		c := f.client(t, tr)
		defer c.Close()
		for range 4 {
			require.Equal(t, delivery.ClassNotSent, delivery.ClassOf(c.Verify(t.Context(), dev, u)))
		}
		for _, dials := range []int{8, 8} { // four looks count as one operation; then none is made
			var last error
			cfg := Options{SkipUpdated: true, Requeue: Requeue{Turns: -1}, OnEvent: func(e Event) { last = e.Err }}
			_, err := Run(t.Context(), c, func(yield func(delivery.Device) bool) { yield(dev) }, u, cfg)
			require.NoError(t, err)
			require.Equal(t, dials, f.dials["till-17"])
			require.Equal(t, delivery.ClassNotSent, delivery.ClassOf(last))
		}
		require.ErrorIs(t, c.Verify(t.Context(), dev, u), delivery.ErrBreakerOpen)
	})
}
