package delivery

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
)

// TestDeliver checks how many pushes and verifications a device counts, by how it answers them.
func TestDeliver(t *testing.T) {
	type hook = func(n int, w http.ResponseWriter, apply func()) bool
	status := func(code, times int) hook {
		return func(n int, w http.ResponseWriter, _ func()) bool {
			if n > times {
				return false
			}
			w.WriteHeader(code)
			return true
		}
	}
	// hangUp drops the connection without an answer.
	hangUp := func(w http.ResponseWriter) {
		c, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			c.Close()
		}
	}
	for name, row := range map[string]struct {
		onPush           hook
		onVerify         func(d *testDevice) func(n int, w http.ResponseWriter) bool
		want             Class
		pushes, verifies int
	}{
		"well":                {nil, nil, ClassUnknown, 1, 1},
		"500 twice, lacks it": {status(500, 2), nil, ClassUnknown, 3, 3}, // a look after each 500, then the confirmation
		"500 for good":        {status(500, 99), nil, ClassAmbiguous, 4, 4},
		"503 twice":           {status(503, 2), nil, ClassUnknown, 3, 1}, // known not to be applied: no look
		"429 for good":        {status(429, 99), nil, ClassThrottled, 4, 0},
		"400":                 {status(400, 99), nil, ClassPermanent, 1, 0},
		"302":                 {status(302, 1), nil, ClassPermanent, 1, 0},
		"409 once":            {status(409, 1), nil, ClassUnknown, 2, 2},
		"applied, answer 500": {func(_ int, w http.ResponseWriter,
			apply func()) bool {
			apply()
			w.WriteHeader(500)
			return true
		}, nil, ClassUnknown, 1, 1},
		"applied, answer lost": {func(_ int, w http.ResponseWriter, apply func()) bool { apply(); hangUp(w); return true },
			nil, ClassUnknown, 1, 1},
		"dropped, answer lost": {func(n int, w http.ResponseWriter, _ func()) bool {
			if n == 1 {
				hangUp(w)
			}
			return n == 1
		}, nil, ClassUnknown, 2, 2},
		"applied, half an answer": {func(_ int, w http.ResponseWriter,
			apply func()) bool {
			apply()
			answer(w, 200, "x")
			return true
		}, nil, ClassUnknown, 1, 1},
		"ok but not applied": {func(_ int, w http.ResponseWriter, _ func()) bool {
			answer(w, 200, map[string]any{"success": true})
			return true
		}, nil, ClassIntegrity, 1, 1},
		"accepted, then runs it": {func(_ int, w http.ResponseWriter,
			apply func()) bool {
			apply()
			w.WriteHeader(202)
			return true
		}, installing(3), ClassUnknown, 1, 5}, // installing three times, then right twice
		"verify 500 twice":           {nil, verifyStatus(500, 2), ClassUnknown, 1, 3},
		"verify 500 for good":        {nil, verifyStatus(500, 99), ClassAmbiguous, 1, 4},
		"verify 404":                 {nil, verifyStatus(404, 99), ClassPermanent, 1, 1},
		"installing after a success": {nil, installing(2), ClassUnknown, 1, 4},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				c, dev := newClient(t, cfg), newTestDevice(t)
				dev.onPush = row.onPush
				if row.onVerify != nil {
					dev.onVerify = row.onVerify(dev)
				}
				report, err := c.Deliver(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				pushes, verifies, _ := dev.counts()
				require.Equal(t, []int{row.pushes, row.verifies}, []int{pushes, verifies})
				require.Equal(t, []int{row.pushes, row.verifies}, []int{report.Pushes, report.Verifies})
				require.Equal(t, max(0, row.pushes-1)+max(0, row.verifies-1), report.Retries())
				for _, r := range dev.pushes {
					require.Equal(t, dev.pushes[0].Header.Get("Idempotency-Key"), r.Header.Get("Idempotency-Key"))
				}
			})
		})
	}
}

func installing(times int) func(*testDevice) func(int, http.ResponseWriter) bool {
	return func(d *testDevice) func(int, http.ResponseWriter) bool {
		return func(n int, w http.ResponseWriter) bool {
			d.state = "installing"
			if n > times {
				d.state = "idle"
			}
			d.tell(w)
			return true
		}
	}
}

func verifyStatus(code, times int) func(*testDevice) func(int, http.ResponseWriter) bool {
	return func(*testDevice) func(int, http.ResponseWriter) bool {
		return func(n int, w http.ResponseWriter) bool {
			if n <= times {
				w.WriteHeader(code)
			}
			return n <= times
		}
	}
}

func TestDeliverToADeviceThatIsNotThere(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		dev := Device{Address: "http://" + l.Addr().String()}
		require.NoError(t, l.Close())
		report, err := newClient(t, cfg).Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassNotSent, ClassOf(err))
		require.Equal(t, 4, report.Pushes)
		require.Zero(t, report.Verifies)

		cfg.Random = deliverytest.AlwaysZero{} // with AlwaysZero no wait takes any time
		report, err = newClient(t, cfg).Deliver(t.Context(), dev, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassNotSent, ClassOf(err))
		require.Equal(t, 4, report.Pushes)
		require.Zero(t, report.Waited)
	})
}

func TestDeliverStopsWaitingWhenCanceled(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Retry.Poll = time.Hour
		c, dev := newClient(t, cfg), newTestDevice(t)
		ctx, cancel := context.WithCancel(t.Context())
		dev.onPush = func(_ int, w http.ResponseWriter, _ func()) bool {
			w.WriteHeader(409)
			cancel()
			return true
		}
		_, err := c.Deliver(ctx, dev.Device, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassCanceled, ClassOf(err))
	})
}

// TestDeliverStopsLookingWhenItsTimeIsUp ends the context during a look, and in the wait after each
// kind of look.
func TestDeliverStopsLookingWhenItsTimeIsUp(t *testing.T) {
	for name, look := range map[string]string{
		"no answer":   "",
		"backing off": deliverytest.JSONAnswer("500 Broken", "{}"),
		"polling":     deliverytest.JSONAnswer("200 OK", busyVersion),
		"accepted":    deliverytest.JSONAnswer("202 Accepted", "{}"),
		"right once":  deliverytest.JSONAnswer("200 OK", deliverytest.GoodVersion),
	} {
		for _, tr := range transports {
			t.Run(name+"/"+string(tr), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newClient(t, Config{
						Transport: tr, Retry: Retry{Base: 24 * time.Hour, Cap: 24 * time.Hour, Poll: time.Hour, GoodReads: 2},
						Dial: func(context.Context, string, string) (net.Conn, error) {
							near, far := net.Pipe()
							go func() {
								defer far.Close()
								br := bufio.NewReader(far)
								for {
									r, err := http.ReadRequest(br)
									if err != nil {
										return
									}
									_, _ = io.Copy(io.Discard, r.Body)
									text := look
									if r.Method == http.MethodPost {
										text = deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush)
									}
									_, _ = io.WriteString(far, text)
								}
							}()
							return near, nil
						},
					})
					defer c.Close()
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					defer cancel()
					report, err := c.Deliver(ctx, Device{Address: "http://till"}, newUpdate(t, "2", []byte("x")))
					require.Equal(t, ClassTimeout, ClassOf(err), "%v", err)
					require.Equal(t, []int{1, 1}, []int{report.Pushes, report.Verifies})
				})
			})
		}
	}
}

// TestDeliverWhereNothingConnects lets the deadline of the whole request pass while there is no
// connection. Nothing was sent, so Deliver doesn't verify.
func TestDeliverWhereNothingConnects(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Timeouts.Total = time.Millisecond
		cfg.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		report, err := newClient(t, cfg).Deliver(t.Context(), Device{Address: "http://till"}, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassTimeout, ClassOf(err), "%v", err)
		require.Equal(t, []int{4, 0}, []int{report.Pushes, report.Verifies})
	})
}

func TestDeliverGivesUpOnADeviceThatInstallsForever(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Retry.PollFor = 5 * time.Millisecond
		c, dev := newClient(t, cfg), newTestDevice(t)
		dev.onVerify = installing(1 << 30)(dev)
		_, err := c.Deliver(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
		require.Equal(t, ClassPending, ClassOf(err))
	})
}

func TestDeliverHonorsRetryAfterWithinItsCap(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Retry.Cap = 3 * time.Millisecond
		c, dev := newClient(t, cfg), newTestDevice(t)
		dev.onPush = func(n int, w http.ResponseWriter, _ func()) bool {
			if n == 1 {
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader(503)
			}
			return n == 1
		}
		report, err := c.Deliver(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
		require.NoError(t, err)
		require.GreaterOrEqual(t, report.Waited, 3*time.Millisecond)
	})
}

func TestDeliverWaitsForAReboot(t *testing.T) {
	for name, accept := range map[string]func(d *testDevice, w http.ResponseWriter){
		"202": func(_ *testDevice, w http.ResponseWriter) { w.WriteHeader(202) },
		"200, seen to install": func(d *testDevice, w http.ResponseWriter) {
			answer(w, 200, map[string]any{"success": true})
		},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				c, dev := newClient(t, cfg), newTestDevice(t)
				dev.onPush = func(_ int, w http.ResponseWriter, apply func()) bool {
					apply()
					accept(dev, w)
					return true
				}
				dev.onVerify = func(n int, w http.ResponseWriter) bool {
					if n == 1 {
						dev.state = "installing"
						dev.tell(w)
						dev.state = "idle"
						return true
					}
					if n < 10 {
						w.WriteHeader(502)
					}
					return n < 10
				}
				report, err := c.Deliver(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
				require.NoError(t, err)
				require.Equal(t, []int{1, 11}, []int{report.Pushes, report.Verifies}, "gone nine times, then right twice")
			})
		})
	}
}

// TestDeliverToADeviceThatIsGoneAfterItsPush has a device whose answer is lost and that then can't
// be reached: it may be rebooting with the update, or may have been off before (only a kept-alive
// connection of it was left). Deliver doesn't wait for it and doesn't push to it again, because it
// may have the update.
func TestDeliverToADeviceThatIsGoneAfterItsPush(t *testing.T) {
	for name, answers := range map[string]int{"new connection": 0, "kept-alive": 1} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				cfg.Retry.PollFor = time.Hour
				l, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(t, err)
				served := make(chan error, 1)
				go func() {
					c, err := l.Accept()
					if err != nil {
						served <- err
						return
					}
					defer c.Close()
					br := bufio.NewReader(c)
					for n := 0; ; n++ {
						r, err := http.ReadRequest(br)
						if err == nil {
							_, err = io.Copy(io.Discard, r.Body)
						}
						if err == nil && n < answers {
							_, err = io.WriteString(c, deliverytest.Good(r))
						}
						if err != nil || n == answers {
							served <- errors.Join(err, l.Close())
							return
						}
					}
				}()
				c, dev, u := newClient(t, cfg), Device{Address: "http://" + l.Addr().String()}, newUpdate(t, "2", []byte("x"))
				for range answers {
					require.NoError(t, c.Verify(t.Context(), dev, u))
				}
				report, err := c.Deliver(t.Context(), dev, u)
				require.NoError(t, <-served)
				require.Equal(t, ClassAmbiguous, ClassOf(err), "%v", err)
				require.Equal(t, []int{1, 4}, []int{report.Pushes, report.Verifies})
			})
		})
	}
}

func TestDeliverGivesUpOnADeviceThatNeverComesBack(t *testing.T) {
	overBoth(t, func(t *testing.T, cfg Config) {
		cfg.Retry.PollFor = 5 * time.Millisecond
		c, dev := newClient(t, cfg), newTestDevice(t)
		dev.onPush = func(_ int, w http.ResponseWriter, _ func()) bool { w.WriteHeader(202); return true }
		dev.onVerify = verifyStatus(502, 1<<30)(dev)
		report, err := c.Deliver(t.Context(), dev.Device, newUpdate(t, "2", []byte("x")))
		e, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		require.Equal(t, OpVerify, e.Op)
		require.Equal(t, ClassAmbiguous, e.Class, "%v", err)
		require.Equal(t, 1, report.Pushes)
	})
}
