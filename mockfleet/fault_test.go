package mockfleet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// bareClient is a bare socket: what it sees is what is on the wire.
type bareClient struct {
	*net.TCPConn
	t     testing.TB
	ended *string // how a write found that the connection had ended, which a later read may not tell
}

func dialDevice(t testing.TB, f *Fleet, i int) (bareClient, error) {
	t.Helper()
	address := strings.TrimPrefix(strings.TrimPrefix(f.DeviceAddress(i), "https://"), "http://")
	host, _, _ := strings.Cut(address, "/")
	nc, err := (&net.Dialer{Timeout: testDeadline}).Dial("tcp", host)
	if err != nil {
		return bareClient{}, err
	}
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(testDeadline)))
	return bareClient{nc.(*net.TCPConn), t, new(string)}, nil
}

// visit opens a connection and sends a request unless it is empty. It returns all that comes back,
// and how the connection ends: "closed" or "reset". A reset may arrive before the dial has
// returned.
func visit(t testing.TB, f *Fleet, i int, request string) (all, end string) {
	t.Helper()
	c, err := dialDevice(t, f, i)
	if err != nil {
		return "", endOf(t, err)
	}
	c.send([]byte(request))
	if err := c.CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) {
		require.NoError(t, err)
	}
	all, end = c.rest()
	require.NoError(t, c.Close())
	return all, end
}

func mustDialDevice(t testing.TB, f *Fleet, i int) bareClient {
	t.Helper()
	c, err := dialDevice(t, f, i)
	require.NoError(t, err)
	return c
}

// rest returns everything that still arrives, and how the connection ends: "closed" or "reset".
func (c bareClient) rest() (string, string) {
	c.t.Helper()
	all, err := io.ReadAll(c)
	if *c.ended != "" {
		return string(all), *c.ended
	}
	return string(all), endOf(c.t, err)
}

func endOf(t testing.TB, err error) string {
	t.Helper()
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return "closed"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	}
	require.NoError(t, err)
	return ""
}

// send writes b. An error is no failure of the test: the device may end the connection meanwhile.
func (c bareClient) send(b []byte) {
	c.t.Helper()
	if _, err := c.Write(b); err != nil {
		*c.ended = endOf(c.t, err)
		require.Equal(c.t, "reset", *c.ended)
	}
}

func (c bareClient) response(b *bufio.Reader) (*http.Response, string) {
	c.t.Helper()
	response, err := http.ReadResponse(b, nil)
	require.NoError(c.t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	return response, string(body)
}

// path returns the request target of path p of device i, in any addressing mode.
func path(f *Fleet, i int, p string) string {
	if f.cfg.Addressing == address.Path {
		return fmt.Sprintf("%s%d%s", address.PathPrefix, i, p)
	}
	return p
}

func exactly(t testing.TB, n int64) random.Int {
	t.Helper()
	a, err := random.FixedInt(n)
	require.NoError(t, err)
	return a
}

func delayOf(t testing.TB, d time.Duration) random.Duration {
	t.Helper()
	fixed, err := random.Fixed(d)
	require.NoError(t, err)
	return fixed
}

func withFaults(faults ...fault.Fault) behavior.Behavior { return behavior.Behavior{Faults: faults} }

// balanced checks the equation that holds for every entry while no update is under way.
func balanced(t testing.TB, e ledger.Entry) {
	t.Helper()
	require.Equal(t, e.Pushes, e.Applied+e.Repeats+e.Rejected+e.FalseAcks+e.InstallFailures+e.Incomplete, "%+v", e)
}

// settled waits until device i has no update under way and the fleet has no connection. It returns
// the entry of the device.
func settled(t testing.TB, f *Fleet, i int) ledger.Entry {
	t.Helper()
	require.Eventually(t, func() bool { return f.Status().Connections == 0 }, testDeadline, time.Millisecond)
	d, err := f.Device(i)
	require.NoError(t, err)
	balanced(t, d.Entry)
	return d.Entry
}

func TestAFaultSurvivesARoundTrip(t *testing.T) {
	const asJSON = `{"latency":"0s","fail_first":0,"fail_status":0,"faults":[` +
		`{"kind":"slow-read","first":3,"share":0.25,"rate":"uniform(1000, 2000)"},` +
		`{"kind":"status","status":429,"retry_after":"date(2s)"},` +
		`{"kind":"reset-mid-upload","after_bytes":4096},` +
		`{"kind":"stall-mid-upload","after_bytes":"lognormal(p50=100, p99=1000)","delay":"uniform(1s, 2s)"},` +
		`{"kind":"redirect-307","origin":"other"}]}`
	var b behavior.Behavior
	require.NoError(t, json.Unmarshal([]byte(asJSON), &b))
	require.NoError(t, b.Validate())
	written, err := json.Marshal(b)
	require.NoError(t, err)
	require.Equal(t, asJSON, string(written))
	asYAML, err := yaml.Marshal(b)
	require.NoError(t, err)
	var again behavior.Behavior
	require.NoError(t, yaml.UnmarshalWithOptions(asYAML, &again, yaml.Strict()), string(asYAML))
	require.True(t, b.Equal(again), string(asYAML))
}

func TestAnInvalidFaultIsRefused(t *testing.T) {
	for given, want := range map[string]string{
		`{"kind":"blackhol"}`:                            `faults[0].kind: "blackhol": want one of refuse, `,
		`{"kind":"blackhole","rate":5}`:                  `faults[0].rate: 5: want none: blackhole takes share, first, delay`,
		`{"kind":"refuse","first":1}`:                    `faults[0].first: 1: want none: refuse takes share, delay`,
		`{"kind":"slow-read"}`:                           `faults[0].rate: 0: want bytes a second, from 1`,
		`{"kind":"status"}`:                              `faults[0].status: 0: want an HTTP status from 400 to 599`,
		`{"kind":"early-4xx","status":503}`:              `faults[0].status: 503: want an HTTP status from 400 to 499`,
		`{"kind":"reboot","status":500}`:                 `faults[0].status: 500: want an HTTP status from 200 to 299`,
		`{"kind":"garbage","first":-1}`:                  `faults[0].first: -1: want 0 to`,
		`{"kind":"garbage","on":"health"}`:               `faults[0].on: "health": want update or version`,
		`{"kind":"redirect-307","origin":"x"}`:           `faults[0].origin: "x": want same or other`,
		`{"kind":"garbage","share":1.5}`:                 `share "1.5": want a number from 0 to 1`,
		`{"kind":"garbage","share":"NaN"}`:               `share "NaN"`,
		`{"kind":"reset-mid-upload","after_bytes":-1}`:   `amount "-1": want a whole number`,
		`{"kind":"reset-mid-upload","after_bytes":1.5}`:  `amount "1.5"`,
		`{"kind":"status-503","retry_after":"tomorrow"}`: `retry-after "tomorrow": want a duration such as 2s`,
	} {
		var b behavior.Behavior
		err := json.Unmarshal([]byte(`{"faults":[`+given+`]}`), &b)
		if err == nil {
			err = b.Validate()
		}
		require.ErrorContains(t, err, want, given)
	}
	require.ErrorContains(t, behavior.Behavior{Faults: make([]fault.Fault, fault.MaxPerDevice+1)}.Validate(),
		"faults: 33 of them: want at most 32")
	require.NotEmpty(t, fault.Validate([]fault.Fault{{Kind: "garbage", Share: -1}}))
}

func TestFaultsOfAPortNeedPortAddressing(t *testing.T) {
	for _, a := range []address.Mode{address.IP, address.Path} {
		for _, kind := range []string{"refuse", "connect-stall"} {
			b := withFaults(fault.Fault{Kind: kind})
			err := Config{Devices: 1, Addressing: a, Behavior: b}.Validate()
			var bad *ConfigError
			require.ErrorAs(t, err, &bad)
			require.ErrorContains(t, err, `faults[0].kind: "`+kind+`": want`)
			require.ErrorContains(t, err, "port addressing")
		}
	}
	f := startFleet(t, Config{Devices: 1, Addressing: address.Path})
	require.ErrorContains(t, f.SetFaults(0, withFaults(fault.Fault{Kind: "refuse"})), "port addressing")
}

// TestTheFirstFaultOfAPointActs checks that of the faults of one point, only the first in the list
// that applies to an attempt acts, and that faults of other points act beside it.
func TestTheFirstFaultOfAPointActs(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: address.Port, Behavior: withFaults(
		fault.Fault{Kind: "status-500", First: 1}, fault.Fault{Kind: "status-503", First: 2},
		fault.Fault{Kind: "wrong-content-type", First: 3},
		fault.Fault{Kind: "wrong-device", First: 1}, fault.Fault{Kind: "corrupt", First: 2},
	)})
	artifact := []byte("artifact")
	for _, want := range []string{"500", "503", "200 OK\r\nDate", "200 OK\r\nDate"} {
		c := mustDialDevice(t, f, 0)
		c.send(pushRequest("/update", artifact))
		require.NoError(t, c.CloseWrite())
		all, _ := c.rest()
		require.Contains(t, all, "HTTP/1.1 "+want)
	}
	require.Contains(t, exchange(t, f, "GET /version HTTP/1.1\r\nHost: a\r\n\r\n"), address.DeviceID(1))
	require.Contains(t, exchange(t, f, "GET /version HTTP/1.1\r\nHost: a\r\n\r\n"), address.DeviceID(0))
	e := settled(t, f, 0)
	require.Equal(t, map[string]uint32{"status-500": 1, "status-503": 1, "wrong-content-type": 1, "wrong-device": 1,
		"corrupt": 2}, e.Faults)
	require.Equal(t, []uint32{4, 2, 1, 1}, []uint32{e.Pushes, e.Rejected, e.Applied, e.Repeats})
	require.EqualValues(t, 6, f.Status().Injections)
}

// TestCountsBalanceUnderFaults checks that the counts of a device add up under every mix of
// faults and of clients that leave early.
func TestCountsBalanceUnderFaults(t *testing.T) {
	var faults []fault.Fault
	for _, k := range fault.Table() {
		if k.Point == fault.PointConnect || k.Point == fault.PointReuse || k.Name == "stall-mid-upload" ||
			k.Name == "slow-read" || k.Name == "status" ||
			k.Name == "drip-answer" || k.Name == "slow-answer" || k.Name == "reboot" || k.Name == "status-202" {
			continue
		}
		faults = append(faults, fault.Fault{Kind: k.Name, Share: 0.5})
	}
	f := startFleet(t, Config{Devices: 64, Addressing: address.Path, Seed: 3})
	for i := range f.Devices() {
		n := i * 7 % len(faults)
		b := withFaults(faults[n], faults[(n+3)%len(faults)], faults[(n+11)%len(faults)],
			fault.Fault{Kind: "status-202", Delay: delayOf(t, time.Millisecond)})
		require.NoError(t, f.SetFaults(i, b))
	}
	for round := range 6 {
		for i := range f.Devices() {
			c := mustDialDevice(t, f, i)
			require.NoError(t, c.SetReadBuffer(16<<10))
			request := pushRequest(path(f, i, "/update"), bytes.Repeat([]byte{byte(round / 2)}, 1+round*9000))
			if (round+i)%5 == 4 {
				request = request[:len(request)-1] // the client leaves before the end
			}
			c.send(request)
			if (round+i)%5 != 4 && (round+i)%3 > 0 {
				_, _ = c.Read(make([]byte, 1000)) // the answer may be anything
			}
			require.NoError(t, c.Close())
		}
	}
	require.Eventually(t, func() bool { return f.Status().Connections == 0 }, testDeadline, time.Millisecond)
	var pushes, injected uint64
	for e := range f.Ledger() {
		balanced(t, e)
		pushes += uint64(e.Pushes)
		for _, times := range e.Faults {
			injected += uint64(times)
		}
	}
	s := f.Status()
	require.Equal(t, s.Pushes, pushes)
	require.Equal(t, s.Injections, injected)
	require.Positive(t, s.Injections)
	require.LessOrEqual(t, s.Updated, s.Devices)
	f.Reset()
	for e := range f.Ledger() {
		require.Fail(t, "the ledger is not empty", "%+v", e)
	}
	require.Zero(t, f.Status().Injections)
	require.Equal(t, map[string]int{"1.0.0": 65}, f.store.Kept().Versions,
		"the fleet and each device refer to the initial version")
	require.Equal(t, wire.HealthBody, strings.SplitN(exchangeWith(t, f, 0,
		"GET "+path(f, 0, "/health")+" HTTP/1.1\r\nHost: a\r\n\r\n"), "\r\n\r\n", 2)[1])
}

// exchangeWith is exchange for device i, in any addressing mode.
func exchangeWith(t testing.TB, f *Fleet, i int, input string) string {
	t.Helper()
	all, _ := visit(t, f, i, input)
	return all
}
