package delivery

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery/internal/deliverytest"
	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// socketDevice is a device on a bare socket, with TLS or without. Its receive buffer is small, so
// that what it hasn't read stays in the client's system.
type socketDevice struct {
	Device
	roots *x509.CertPool
	ended <-chan struct{} // closed with the test
	// got is the size of the longest body that came whole; pushes and conns count.
	got           atomic.Int64
	pushes, conns atomic.Int32
}

// overWires runs a test over each transport, plain and over TLS. serve gets connection k, from 1,
// and returns to close it.
func overWires(t *testing.T, receive int, serve func(d *socketDevice, k int, c net.Conn),
	test func(t *testing.T, cfg Config, d *socketDevice)) {
	for _, secure := range []bool{false, true} {
		name := "plain"
		if secure {
			name = "TLS"
		}
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, cfg Config) {
				d := newSocketDevice(t, secure, receive, serve)
				cfg.TLS = &tls.Config{RootCAs: d.roots}
				cfg.Timeouts.TLS, cfg.Timeouts.Total = time.Minute, time.Minute // the machine may be busy
				test(t, cfg, d)
			})
		})
	}
}

func newSocketDevice(t *testing.T, secure bool, receive int,
	serve func(d *socketDevice, k int, c net.Conn)) *socketDevice {
	d := &socketDevice{roots: x509.NewCertPool()}
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		if receive == 0 {
			return nil
		}
		return raw.Control(func(fd uintptr) { setReceiveBuffer(fd, receive) })
	}}
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d.Address = "http://" + l.Addr().String()
	if secure {
		s := httptest.NewUnstartedServer(nil)
		s.StartTLS()
		d.roots.AddCert(s.Certificate())
		l = tls.NewListener(l, &tls.Config{Certificates: s.TLS.Certificates})
		s.Close()
		d.Address = "https://" + l.Addr().String()
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	d.ended = ctx.Done()
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			k := int(d.conns.Add(1))
			stop := context.AfterFunc(ctx, func() { beneathTLS(c).Close() })
			wg.Go(func() {
				defer stop()
				defer beneathTLS(c).Close() // without TLS's close_notify, like a device that crashes
				serve(d, k, c)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		l.Close()
		wg.Wait()
	})
	return d
}

// beneathTLS returns the connection under TLS.
func beneathTLS(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}

// paced reads at a rate, in bytes a second.
type paced struct {
	r     io.Reader
	rate  float64
	ended <-chan struct{}
	since time.Time
	read  float64
}

func (p *paced) Read(b []byte) (int, error) {
	if p.since.IsZero() {
		p.since = time.Now()
	}
	n, err := p.r.Read(b[:min(len(b), 1+int(p.rate/20))])
	p.read += float64(n)
	select {
	case <-time.After(time.Until(p.since.Add(time.Duration(p.read / p.rate * float64(time.Second))))):
		return n, err
	case <-p.ended:
		return n, io.ErrClosedPipe
	}
}

// serveAt returns the serve function of a device that answers well, and reads bodies at a rate in
// bytes a second.
func serveAt(rate float64) func(d *socketDevice, k int, c net.Conn) {
	return func(d *socketDevice, _ int, c net.Conn) {
		br := bufio.NewReaderSize(c, 16)
		for {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			if r.Method == http.MethodPost {
				d.pushes.Add(1)
			}
			n, err := io.Copy(io.Discard, &paced{r: r.Body, rate: rate, ended: d.ended})
			if err != nil {
				return
			}
			d.got.Store(max(d.got.Load(), n))
			if _, err := io.WriteString(c, deliverytest.Good(r)); err != nil {
				return
			}
		}
	}
}

// TestASlowDeviceIsUpdated has an upload that is mostly in the client's system when its last byte
// is written, and takes longer to leave than Timeouts.Answer.
func TestASlowDeviceIsUpdated(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what the device's system took; TestBlindResponse has the others")
	}
	const size = 1 << 20
	overWires(t, 4<<10, serveAt(size/1.5), func(t *testing.T, cfg Config, d *socketDevice) {
		t.Parallel()
		cfg.Timeouts.Answer = time.Second
		cfg.Timeouts.LeastProgress = LeastProgress{PerSecond: 1, Window: time.Minute} // the machine may be busy
		u := newUpdate(t, "2", make([]byte, size))
		require.NoError(t, newClient(t, cfg).Push(t.Context(), d.Device, u))
		require.EqualValues(t, size, d.got.Load())
		require.EqualValues(t, 1, d.pushes.Load())
	})
}

// TestADeviceThatReadsAfterItsSystemAcknowledged has a device whose system has taken the whole
// upload. At the rate that the device showed, it needs longer than Timeouts.Answer to read the rest
// and answer.
func TestADeviceThatReadsAfterItsSystemAcknowledged(t *testing.T) {
	const size = 1 << 20
	overWires(t, 4<<10, func(d *socketDevice, _ int, c net.Conn) {
		began := time.Now()
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			return
		}
		n, _ := io.Copy(io.Discard, &paced{r: r.Body, rate: size, ended: d.ended})
		d.got.Store(n)
		select {
		case <-time.After(time.Since(began) / 2):
		case <-d.ended:
		}
		_, _ = io.WriteString(c, deliverytest.Good(r))
	}, func(t *testing.T, cfg Config, d *socketDevice) {
		t.Parallel()
		cfg.Timeouts.Answer = 100 * time.Millisecond
		require.NoError(t, newClient(t, cfg).Push(t.Context(), d.Device, newUpdate(t, "2", make([]byte, size))))
	})
}

// slowGrid is the variable that enables TestTheGridOfSlowDevices, which takes 20 minutes with
// -parallel 128.
const slowGrid = "FLEETMARK_TEST_SLOW_GRID"

// TestTheGridOfSlowDevices uploads 256 KiB to 8 MiB at 8 to 250 kB/s, with the default deadlines.
func TestTheGridOfSlowDevices(t *testing.T) {
	if os.Getenv(slowGrid) == "" {
		t.Skip(slowGrid + " isn't set")
	}
	for _, tr := range transports {
		for _, secure := range []bool{false, true} {
			for _, receive := range []int{0, 4 << 10} { // 0 means the system's default
				for _, size := range []int64{256 << 10, 1 << 20, 8 << 20} {
					for _, rate := range []float64{8e3, 20e3, 60e3, 100e3, 250e3} {
						name := fmt.Sprintf("%s TLS %v receive buffer %d: %d KiB at %v kB per s", tr, secure, receive, size>>10, rate/1e3)
						t.Run(name, func(t *testing.T) {
							t.Parallel()
							d := newSocketDevice(t, secure, receive, serveAt(rate))
							c := newClient(t, Config{
								Transport: tr, TLS: &tls.Config{RootCAs: d.roots},
								Timeouts: Timeouts{Dial: 5 * time.Minute, TLS: 5 * time.Minute}, // all devices connect at once
							})
							began := time.Now()
							err := c.Push(t.Context(), d.Device, fileUpdate(t, size))
							t.Logf("%v", time.Since(began).Round(time.Second))
							require.NoError(t, err)
							require.EqualValues(t, size, d.got.Load())
							require.EqualValues(t, 1, d.pushes.Load())
						})
					}
				}
			}
		}
	}
}

// TestADeviceThatStopsIsGivenUp has an upload that is written to its last byte, but that the
// device's system doesn't take, and a device that doesn't answer. LeastProgress ends it, as in the
// middle of an upload.
func TestADeviceThatStopsIsGivenUp(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what the device's system took")
	}
	overWires(t, 4<<10, func(d *socketDevice, _ int, c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 100))
		<-d.ended
	}, func(t *testing.T, cfg Config, d *socketDevice) {
		t.Parallel()
		cfg.Timeouts.Answer = 50 * time.Millisecond
		cfg.Timeouts.LeastProgress = LeastProgress{PerSecond: 1 << 20, Window: 300 * time.Millisecond}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := newClient(t, cfg).Push(ctx, d.Device, newUpdate(t, "2", make([]byte, 256<<10)))
		require.ErrorIs(t, err, exchange.ErrTooSlow)
		require.Equal(t, ClassTimeout, ClassOf(err))
	})
}

// TestASilentDeviceIsGivenUpAfterAnswer has a device whose system takes the whole upload at once,
// and that doesn't answer.
func TestASilentDeviceIsGivenUpAfterAnswer(t *testing.T) {
	overWires(t, 0, func(d *socketDevice, _ int, c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReader(c))
		if err == nil {
			n, _ := io.Copy(io.Discard, r.Body)
			d.got.Store(n)
		}
		<-d.ended
	}, func(t *testing.T, cfg Config, d *socketDevice) {
		t.Parallel()
		cfg.Timeouts.Answer = 100 * time.Millisecond
		cfg.Timeouts.LeastProgress = LeastProgress{PerSecond: 100 << 20, Window: time.Hour}
		err := newClient(t, cfg).Push(t.Context(), d.Device, newUpdate(t, "2", make([]byte, 256<<10)))
		require.Equal(t, ClassTimeout, ClassOf(err), "%v", err)
		require.NotErrorIs(t, err, exchange.ErrTooSlow)
		require.EqualValues(t, 256<<10, d.got.Load())
	})
}

// TestACancelWhileTheUploadDrains checks that a cancel ends the wait for a slow device.
func TestACancelWhileTheUploadDrains(t *testing.T) {
	overWires(t, 4<<10, serveAt(1000), func(t *testing.T, cfg Config, d *socketDevice) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		time.AfterFunc(100*time.Millisecond, cancel)
		err := newClient(t, cfg).Push(ctx, d.Device, newUpdate(t, "2", make([]byte, 256<<10)))
		require.Equal(t, ClassCanceled, ClassOf(err), "%v", err)
	})
}

const early200 = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// TestASuccessBeforeTheUploadsEnd checks that the client goes on sending after an early success.
// The success counts once the device has all of the update, and never if it doesn't get it (RFC
// 9112 §9.5).
func TestASuccessBeforeTheUploadsEnd(t *testing.T) {
	const size = 4 << 20
	chunk := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(deliverytest.GoodPush), deliverytest.GoodPush)
	for name, row := range map[string]struct {
		early, late string // sent before and after it reads the body
		reads       int64  // how much of it
		status      string
		want        Class
	}{
		"whole":              {early: deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush), reads: size},
		"head, then a chunk": {early: early200 + "Transfer-Encoding: chunked\r\n\r\n", late: chunk, reads: size},
		"head, then a body": {early: early200 + "Content-Length: 16\r\n\r\n", late: deliverytest.GoodPush,
			reads: size},
		"half a head, then the end": {early: early200, late: "Content-Length: 16\r\n\r\n" + deliverytest.GoodPush,
			reads: size},
		"after an interim answer": {early: "HTTP/1.1 103 Early Hints\r\n\r\n" + deliverytest.JSONAnswer("200 OK",
			deliverytest.GoodPush), reads: size},
		"accepted, no body": {early: "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", reads: size,
			want: ClassPending},
		"to the close": {early: early200 + "\r\n" + deliverytest.GoodPush, reads: size},
		"then closes": {early: deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush), reads: 1 << 20,
			want: ClassAmbiguous},
		"then closes near the end": {early: deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush), reads: size - 300_000,
			want: ClassAmbiguous},
		"accepted, then closes": {early: "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", reads: 1 << 20,
			want: ClassAmbiguous},
		"refused, reads on": {early: deliverytest.JSONAnswer("413 Too Large", `{"message":"too large"}`), reads: size,
			want: ClassPermanent},
	} {
		t.Run(name, func(t *testing.T) {
			overWires(t, 64<<10, func(d *socketDevice, _ int, c net.Conn) {
				r, err := http.ReadRequest(bufio.NewReaderSize(c, 16))
				if err != nil {
					return
				}
				d.pushes.Add(1)
				if _, err := io.WriteString(c, row.early); err != nil {
					return
				}
				n, err := io.CopyN(io.Discard, r.Body, row.reads)
				d.got.Store(n)
				if err == nil && row.late != "" {
					_, _ = io.WriteString(c, row.late)
				}
				if row.reads == size && !strings.HasSuffix(row.early, "\r\n\r\n"+deliverytest.GoodPush) ||
					strings.Contains(row.early, "Length") && row.reads == size {
					_, _ = io.Copy(io.Discard, c) // until the client has closed
				}
			}, func(t *testing.T, cfg Config, d *socketDevice) {
				t.Parallel()
				err := newClient(t, cfg).Push(t.Context(), d.Device, newUpdate(t, "2", make([]byte, size)))
				require.Equal(t, row.want, ClassOf(err), "%v", err)
				if row.want == ClassUnknown || row.want == ClassPending {
					// Its system has all of it when the push returns; the device may still be
					// reading.
					require.Eventually(t, func() bool { return d.got.Load() == size }, time.Minute, time.Millisecond)
				}
				require.EqualValues(t, 1, d.pushes.Load())
			})
		})
	}
}

// TestAnEarlySuccessIsNoQuarantine has a healthy device that answers before it reads, and closes.
// It isn't quarantined but pushed to again; the second time it reads first.
func TestAnEarlySuccessIsNoQuarantine(t *testing.T) {
	const size = 4 << 20
	u := newUpdate(t, "2", make([]byte, size))
	overWires(t, 64<<10, func(d *socketDevice, _ int, c net.Conn) {
		br := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(br)
			if err != nil {
				return
			}
			version, digest := "1", ""
			if r.Method == http.MethodPost {
				if d.pushes.Add(1) == 1 {
					_, _ = io.WriteString(c, deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush))
					return
				}
				if n, _ := io.Copy(io.Discard, r.Body); n == size {
					d.got.Store(n)
				}
				_, _ = io.WriteString(c, deliverytest.JSONAnswer("200 OK", deliverytest.GoodPush))
				continue
			}
			if d.got.Load() == size {
				version, digest = "2", u.digestHex
			}
			_, _ = io.WriteString(c, deliverytest.JSONAnswer("200 OK",
				fmt.Sprintf(`{"version":%q,"digest":%q,"state":"idle"}`, version, digest)))
		}
	}, func(t *testing.T, cfg Config, d *socketDevice) {
		report, err := newClient(t, cfg).Deliver(t.Context(), d.Device, u)
		require.NoError(t, err)
		require.Equal(t, 2, report.Pushes)
	})
}

// TestAnEarlyRefusalFromADeviceThatStopsReading checks that the refusal is seen while the upload is
// stuck, over TLS too, long before LeastProgress would end the upload.
func TestAnEarlyRefusalFromADeviceThatStopsReading(t *testing.T) {
	overWires(t, 0, func(d *socketDevice, _ int, c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 4<<10))
		_, _ = io.WriteString(c, deliverytest.JSONAnswer("413 Too Large", `{"message":"too large"}`))
		<-d.ended
	}, func(t *testing.T, cfg Config, d *socketDevice) {
		t.Parallel()
		cfg.Timeouts.LeastProgress = LeastProgress{PerSecond: 1 << 10, Window: time.Hour}
		cfg.Timeouts.Total = 20 * time.Second
		for _, u := range []*Update{newUpdate(t, "2", make([]byte, 64<<20)), fileUpdate(t, 64<<20)} {
			err := newClient(t, cfg).Push(t.Context(), d.Device, u)
			require.Equal(t, ClassPermanent, ClassOf(err), "%v", err)
			require.ErrorContains(t, err, "too large")
		}
	})
}

// TestTLSSpeaksWhileItUploads checks an upload over TLS, where a look for an early answer reads
// whatever TLS has to say, such as session tickets and key updates.
func TestTLSSpeaksWhileItUploads(t *testing.T) {
	const size = 16 << 20
	overWires(t, 64<<10, func(d *socketDevice, _ int, c net.Conn) {
		r, err := http.ReadRequest(bufio.NewReaderSize(c, 16))
		if err != nil {
			return
		}
		for range 100 {
			if _, err := io.WriteString(c, "HTTP/1.1 102 Processing\r\n\r\n"); err != nil {
				return
			}
			n, _ := io.CopyN(io.Discard, r.Body, size/100+1)
			d.got.Add(n)
		}
		_, _ = io.WriteString(c, deliverytest.Good(r))
		_, _ = io.Copy(io.Discard, c)
	}, func(t *testing.T, cfg Config, d *socketDevice) {
		require.NoError(t, newClient(t, cfg).Push(t.Context(), d.Device, newUpdate(t, "2", make([]byte, size))))
		require.EqualValues(t, size, d.got.Load())
	})
}
