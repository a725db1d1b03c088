package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestBreaker has a breaker that three failures open for 10 s. A step asks whether an operation may
// begin, or records an outcome, at a second.
func TestBreaker(t *testing.T) {
	type step struct {
		at   int
		tell outcome
		ask  bool
		may  bool
	}
	asks := func(at int, may bool) step { return step{at: at, ask: true, may: may} }
	tells := func(at int, o outcome) step { return step{at: at, tell: o} }
	for name, steps := range map[string][]step{
		"opens, and half opens": {tells(0, dead), tells(0, dead), asks(0, true), tells(1, dead), asks(1, false),
			asks(10, false), asks(11, true), asks(11, false)},
		"a good probe closes": {tells(0, dead), tells(0, dead), tells(0, dead), asks(10, true), tells(11, alive),
			asks(11, true), tells(11, dead), asks(11, true)},
		"a bad probe reopens": {tells(0, dead), tells(0, dead), tells(0, dead), asks(10, true), tells(12, dead),
			asks(12, false), asks(21, false), asks(22, true)},
		"a canceled probe": {tells(0, dead), tells(0, dead), tells(0, dead), asks(10, true), tells(11, neutral),
			asks(11, true), asks(11, false)},
		"in a row": {tells(0, dead), tells(0, dead), tells(0, alive), tells(0, dead), tells(0, dead), asks(0, true),
			tells(0, neutral), tells(0, dead), asks(0, false)},
		"unknown": {asks(0, true), tells(0, alive), tells(0, neutral), asks(0, true)},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBreakers(Breaker{Failures: 3, CoolDown: 10 * time.Second, Devices: 10})
			start := time.Unix(1_000_000, 0)
			for i, s := range steps {
				now := start.Add(time.Duration(s.at) * time.Second)
				if s.ask {
					require.Equal(t, s.may, b.allow("http://till-17", now), "step %d", i)
					require.True(t, b.allow("http://till-18", now), "another device")
				} else {
					b.record("http://till-17", now, s.tell)
				}
			}
		})
	}
}

func TestBreakersAreBounded(t *testing.T) {
	b := newBreakers(Breaker{Failures: 1, CoolDown: time.Hour, Devices: 3})
	now := time.Unix(0, 0)
	for _, address := range []string{"a", "b", "c", "a", "d"} { // b failed longest ago
		b.record(address, now, dead)
	}
	require.Len(t, b.byAddr, 3)
	require.Equal(t, 3, b.recent.Len())
	for address, may := range map[string]bool{"a": false, "b": true, "c": false, "d": false} {
		require.Equal(t, may, b.allow(address, now), address)
	}
	for _, address := range []string{"a", "c", "d"} {
		b.record(address, now, alive)
	}
	require.Empty(t, b.byAddr)
	require.False(t, b.any.Load())
	never := newBreakers(Breaker{Failures: -1, Devices: 1})
	never.record("a", now, dead)
	require.Empty(t, never.byAddr)
}

func TestOutcomes(t *testing.T) {
	for class, want := range map[Class][2]outcome{ // without and with a status
		ClassNotSent: {dead, dead}, ClassTimeout: {dead, dead}, ClassAmbiguous: {dead, dead}, ClassProtocol: {dead, dead},
		ClassThrottled: {neutral, alive}, ClassConflict: {neutral, alive}, ClassPending: {neutral, alive},
		ClassPermanent: {neutral, alive}, ClassIntegrity: {neutral, alive}, ClassUnknown: {neutral, alive},
		ClassCanceled: {neutral, alive},
	} {
		for i, status := range []int{0, 500} {
			require.Equal(t, want[i], outcomeOf(&Error{Class: class, Status: status}, false), "%v, status %d", class, status)
			require.Equal(t, neutral, outcomeOf(&Error{Class: class, Status: status}, true), "ended by the caller")
		}
	}
	require.Equal(t, alive, outcomeOf(nil, true))
}

// TestBreakerCountsAnswers sends five operations to a device that gives the same answer to
// everything. It checks which answers open the breaker.
func TestBreakerCountsAnswers(t *testing.T) {
	for text, opens := range map[string]bool{
		deliverytest.JSONAnswer("200 OK", deliverytest.GoodVersion):               false,
		deliverytest.JSONAnswer("200 OK", busyVersion):                            false,
		deliverytest.JSONAnswer("200 OK", deliverytest.OldVersion):                false,
		deliverytest.JSONAnswer("200 OK", otherDigest):                            false,
		deliverytest.JSONAnswer("202 Accepted", "{}"):                             false,
		deliverytest.JSONAnswer("400 Bad Request", "{}"):                          false,
		deliverytest.JSONAnswer("404 Not Found", "{}"):                            false,
		deliverytest.JSONAnswer("409 Conflict", "{}"):                             false,
		deliverytest.JSONAnswer("413 Too Large", "{}"):                            false,
		deliverytest.JSONAnswer("429 Too Many Requests", "{}"):                    false,
		deliverytest.JSONAnswer("501 Not Implemented", "{}"):                      false,
		deliverytest.JSONAnswer("503 Busy", "{}"):                                 false,
		deliverytest.JSONAnswer("505 Version", "{}"):                              false,
		deliverytest.JSONAnswer("408 Timeout", "{}"):                              true,
		deliverytest.JSONAnswer("500 Broken", "{}"):                               true,
		deliverytest.JSONAnswer("502 Bad Gateway", "{}"):                          true,
		deliverytest.JSONAnswer("504 Gateway Timeout", "{}"):                      true,
		deliverytest.JSONAnswer("200 OK", "half a {"):                             true,
		"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n": true,
		"what?\r\n\r\n": true,
		"":              true, // closed
	} {
		name, _, _ := strings.Cut(text, "\r\n")
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				cfg.Breaker.CoolDown = time.Hour
				c, u := newClient(t, cfg), newUpdate(t, "2", []byte("x"))
				dev := scriptedDevice(t, func(_, _ int, _ *http.Request) string { return text })
				for range 5 {
					require.NotErrorIs(t, c.Verify(t.Context(), dev, u), ErrBreakerOpen)
				}
				require.Equal(t, opens, errors.Is(c.Verify(t.Context(), dev, u), ErrBreakerOpen))
			})
		})
	}
}

// TestBreakerSparesTheDevice checks that a device that is gone gets five requests, another one
// after CoolDown, and all requests once it is back.
func TestBreakerSparesTheDevice(t *testing.T) {
	for _, tr := range transports {
		t.Run(string(tr), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dials, back := 0, false
				c := newClient(t, Config{Transport: tr, Retry: Retry{MaxAttempts: 1},
					Dial: func(context.Context, string, string) (net.Conn, error) {
						dials++
						if !back {
							return nil, errors.New("no route")
						}
						near, far := net.Pipe()
						closed := make(chan struct{})
						go slowReader{chunk: 10, limit: 1 << 20}.serve(far, closed)
						return &closeHook{near, func() { close(closed) }}, nil
					}})
				gone, u := Device{Address: "http://till-17"}, newUpdate(t, "2", []byte("x"))
				for i, operation := range []func() error{
					func() error { return c.Push(t.Context(), gone, u) },
					func() error { return c.Verify(t.Context(), gone, u) },
					func() error { _, err := c.Deliver(t.Context(), gone, u); return err },
				} {
					for range 2 {
						err := operation()
						require.Equal(t, ClassNotSent, ClassOf(err))
						require.Equal(t, dials == 5 && i == 2 && c.Stats().Spared > 0, errors.Is(err, ErrBreakerOpen), fmt.Sprint(err))
					}
				}
				require.Equal(t, 5, dials)
				require.ErrorIs(t, c.Push(t.Context(), Device{Address: "http://till-17"}, u), ErrBreakerOpen)
				require.NotErrorIs(t, c.Push(t.Context(), Device{Address: "http://till-18"}, u), ErrBreakerOpen)
				require.Equal(t, 6, dials)
				s := c.Stats()
				require.EqualValues(t, []uint64{1, 2}, []uint64{s.BreakersOpened, s.Spared})

				<-time.After(30 * time.Second)
				require.NotErrorIs(t, c.Push(t.Context(), gone, u), ErrBreakerOpen)
				require.ErrorIs(t, c.Push(t.Context(), gone, u), ErrBreakerOpen)
				back = true
				<-time.After(30 * time.Second)
				require.NoError(t, c.Push(t.Context(), gone, u))
				require.Nil(t, c.breakers.find(gone.Address))
			})
		})
	}
}
