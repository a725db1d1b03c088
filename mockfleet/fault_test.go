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
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// bareClient is a socket and nothing else: what it sees is what is on the wire.
type bareClient struct {
	*net.TCPConn
	t     testing.TB
	ended *string // how the connection ended under a write; a read after that says less
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

// visit opens a connection, sends a request unless it is empty, and tells what comes and how it ends. A
// reset may come before the client's own system knows that it is connected.
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

// rest is all that still comes, and how it ends: "closed" or "reset".
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

// send writes b; a device that ends the connection meanwhile may break that off.
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

// path is that of a device, for a request target.
func path(f *Fleet, i int, p string) string {
	if f.cfg.Addressing == AddressPath {
		return fmt.Sprintf("%s%d%s", devicePrefix, i, p)
	}
	return p
}

func exactly(t testing.TB, n int64) Amount {
	t.Helper()
	a, err := Exactly(n)
	require.NoError(t, err)
	return a
}

func delayOf(t testing.TB, d time.Duration) Distribution {
	t.Helper()
	fixed, err := Fixed(d)
	require.NoError(t, err)
	return fixed
}

func withFaults(faults ...Fault) Behavior { return Behavior{Faults: faults} }

// balanced checks what is true of every entry at every moment at which nothing is under way.
func balanced(t testing.TB, e Entry) {
	t.Helper()
	require.Equal(t, e.Pushes, e.Applied+e.Repeats+e.Rejected+e.Feigned+e.Unfit+e.Broken, "%+v", e)
}

// settled waits until device i has no update under way and the fleet no connection.
func settled(t testing.TB, f *Fleet, i int) Entry {
	t.Helper()
	require.Eventually(t, func() bool { return f.Status().Connections == 0 }, testDeadline, time.Millisecond)
	d, err := f.Device(i)
	require.NoError(t, err)
	balanced(t, d.Entry)
	return d.Entry
}

func TestEveryFaultOfTheTableIsTestedAndDocumented(t *testing.T) {
	page, err := os.ReadFile("../docs/faults.md")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, k := range kinds() {
		require.False(t, names[k.name], k.name)
		names[k.name] = true
		require.Contains(t, string(page), "`"+k.name+"`")
		require.True(t, acts(k), "%s has not the hook of its level", k.name)
	}
	require.LessOrEqual(t, int(purposeFault)+maxFaults*int(choiceCount), 256)
}

// acts tells whether a row of the table has what its level asks for, and nothing of another.
func acts(k kind) bool {
	has := []bool{k.connect != nil || k.door != nil, k.upload != nil, k.content != nil, k.live != nil, k.answer != nil, k.verify != nil}
	want := map[level]int{levelPort: 0, levelReuse: 0, levelUpload: 1, levelContent: 2, levelLife: 3, levelAnswer: 4, levelVerify: 5}[k.level]
	for i := range has {
		if has[i] != (i == want) {
			return false
		}
	}
	return k.door == nil || k.needsPort || k.connect != nil
}

func TestAFaultIsWrittenAsItIsRead(t *testing.T) {
	const asJSON = `{"latency":"0s","fail_first":0,"fail_status":0,"faults":[` +
		`{"kind":"slow-read","first":3,"share":0.25,"rate":"uniform(1000, 2000)"},` +
		`{"kind":"status","status":429,"retry_after":"date(2s)"},` +
		`{"kind":"reset-mid-upload","after_bytes":4096},` +
		`{"kind":"stall-mid-upload","after_bytes":"lognormal(p50=100, p99=1000)","delay":"uniform(1s, 2s)"},` +
		`{"kind":"redirect-307","origin":"other"}]}`
	var b Behavior
	require.NoError(t, json.Unmarshal([]byte(asJSON), &b))
	require.NoError(t, b.Validate())
	written, err := json.Marshal(b)
	require.NoError(t, err)
	require.Equal(t, asJSON, string(written))
	asYAML, err := yaml.Marshal(b)
	require.NoError(t, err)
	var again Behavior
	require.NoError(t, yaml.UnmarshalWithOptions(asYAML, &again, yaml.Strict()), string(asYAML))
	require.True(t, b.equal(again), string(asYAML))
}

func TestAFaultThatCannotBeMeantIsRefused(t *testing.T) {
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
		var b Behavior
		err := json.Unmarshal([]byte(`{"faults":[`+given+`]}`), &b)
		if err == nil {
			err = b.Validate()
		}
		require.ErrorContains(t, err, want, given)
	}
	require.ErrorContains(t, Behavior{Faults: make([]Fault, maxFaults+1)}.Validate(), "faults: 33 of them: want at most 32")
	require.Error(t, Fault{Kind: "garbage", Share: -1}.validate(0, kinds())[0])
}

func TestFaultsOfAPortNeedPorts(t *testing.T) {
	for _, a := range []Addressing{AddressIP, AddressPath} {
		for _, kind := range []string{"refuse", "connect-stall"} {
			b := withFaults(Fault{Kind: kind})
			err := Config{Devices: 1, Addressing: a, Behavior: b}.Validate()
			var bad *ConfigError
			require.ErrorAs(t, err, &bad)
			require.ErrorContains(t, err, `faults[0].kind: "`+kind+`": want`)
			require.ErrorContains(t, err, "port addressing")
		}
	}
	f := startFleet(t, Config{Devices: 1, Addressing: AddressPath})
	require.ErrorContains(t, f.SetFaults(0, withFaults(Fault{Kind: "refuse"})), "port addressing")
}

// Which devices a fault strikes, at which attempts and with which amounts depends on the seed alone, and
// the shares are as they were asked for.
func TestStrikesAreAPureFunction(t *testing.T) {
	spread, err := ParseAmount("uniform(0, 100000)")
	require.NoError(t, err)
	b := withFaults(Fault{Kind: "reset-mid-upload", Share: 0.25, First: 2, AfterBytes: spread}, Fault{Kind: "status-500", Share: 0.5})
	outcome := func(seed uint64, order func(n int) int) (out []string, struck int) {
		const devices = 4000
		s := newStore(Config{Devices: devices, Seed: seed, Behavior: b}.withDefaults(), nil)
		out = make([]string, devices)
		for n := range devices {
			i := order(n) % devices
			for attempt := range uint32(3) {
				st := s.strikesOn(s.behaviors.at(0), i, attempt+1, newWorkspace())
				if !st.upload.none() {
					require.Less(t, attempt, uint32(2))
					out[i] += fmt.Sprint(st.upload.afterBytes(), " ")
				}
				if !st.answer.none() {
					out[i] += "500 "
				}
			}
			if strings.Count(out[i], " ") >= 5 || strings.Count(out[i], " ") == 2 {
				struck++
			}
		}
		return out, struck
	}
	forward, struck := outcome(7, func(n int) int { return n })
	again, _ := outcome(7, func(n int) int { return 3999 - n })
	require.Equal(t, forward, again)
	other, _ := outcome(8, func(n int) int { return n })
	require.NotEqual(t, forward, other)
	require.InDelta(t, 1000, struck, 120, "a quarter of them")
}

// Of the faults of one place, the first in the list that strikes is the one that acts; those of other
// places strike beside it.
func TestFaultsStandInOrder(t *testing.T) {
	f := startFleet(t, Config{Devices: 1, Addressing: AddressPort, Behavior: withFaults(
		Fault{Kind: "status-500", First: 1}, Fault{Kind: "status-503", First: 2}, Fault{Kind: "wrong-content-type", First: 3},
		Fault{Kind: "wrong-device", First: 1}, Fault{Kind: "corrupt", First: 2},
	)})
	artifact := []byte("artifact")
	for _, want := range []string{"500", "503", "200 OK\r\nDate", "200 OK\r\nDate"} {
		c := mustDialDevice(t, f, 0)
		c.send(pushRequest("/update", artifact))
		require.NoError(t, c.CloseWrite())
		all, _ := c.rest()
		require.Contains(t, all, "HTTP/1.1 "+want)
	}
	require.Contains(t, exchange(t, f, "GET /version HTTP/1.1\r\nHost: a\r\n\r\n"), DeviceID(1))
	require.Contains(t, exchange(t, f, "GET /version HTTP/1.1\r\nHost: a\r\n\r\n"), DeviceID(0))
	e := settled(t, f, 0)
	require.Equal(t, map[string]uint32{"status-500": 1, "status-503": 1, "wrong-content-type": 1, "wrong-device": 1, "corrupt": 2}, e.Faults)
	require.Equal(t, []uint32{4, 2, 1, 1}, []uint32{e.Pushes, e.Rejected, e.Applied, e.Repeats})
	require.EqualValues(t, 6, f.Status().Injected)
}

// Whatever mix of faults and of clients' ways a device meets, its books balance.
func TestTheBooksBalanceUnderFaults(t *testing.T) {
	var faults []Fault
	for _, k := range kinds() {
		if k.level == levelPort || k.level == levelReuse || k.name == "stall-mid-upload" || k.name == "slow-read" || k.name == "status" ||
			k.name == "drip-answer" || k.name == "slow-answer" || k.name == "reboot" || k.name == "status-202" {
			continue
		}
		faults = append(faults, Fault{Kind: k.name, Share: 0.5})
	}
	f := startFleet(t, Config{Devices: 64, Addressing: AddressPath, Seed: 3})
	for i := range f.Devices() {
		n := i * 7 % len(faults)
		b := withFaults(faults[n], faults[(n+3)%len(faults)], faults[(n+11)%len(faults)], Fault{Kind: "status-202", Delay: delayOf(t, time.Millisecond)})
		require.NoError(t, f.SetFaults(i, b))
	}
	for round := range 6 {
		for i := range f.Devices() {
			c := mustDialDevice(t, f, i)
			require.NoError(t, c.SetReadBuffer(16<<10))
			request := pushRequest(path(f, i, "/update"), bytes.Repeat([]byte{byte(round / 2)}, 1+round*9000))
			if (round+i)%5 == 4 {
				request = request[:len(request)-1] // and then the client leaves
			}
			c.send(request)
			if (round+i)%5 != 4 && (round+i)%3 > 0 {
				_, _ = c.Read(make([]byte, 1000)) // whatever it is
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
	require.Equal(t, s.Injected, injected)
	require.Positive(t, s.Injected)
	require.LessOrEqual(t, s.Updated, s.Devices)
	f.Reset()
	for e := range f.Ledger() {
		require.Fail(t, "the ledger is not empty", "%+v", e)
	}
	require.Zero(t, f.Status().Injected)
	for i := range f.store.versions.slots {
		if n := f.store.versions.slots[i].refs.Load(); i > 0 {
			require.Zero(t, n, "a version that no device runs is held")
		} else {
			require.EqualValues(t, 65, n, "the initial version is that of the fleet and of each device")
		}
	}
	require.Equal(t, wire.HealthBody, strings.SplitN(exchangeWith(t, f, 0, "GET "+path(f, 0, "/health")+" HTTP/1.1\r\nHost: a\r\n\r\n"), "\r\n\r\n", 2)[1])
}

// exchangeWith is exchange with device i, in whatever addressing.
func exchangeWith(t testing.TB, f *Fleet, i int, input string) string {
	t.Helper()
	all, _ := visit(t, f, i, input)
	return all
}
