package rollout_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// killFleet is a small fleet that shares no code with the package. It records which device was
// given what, and how often.
type killFleet struct {
	server *httptest.Server

	mu      sync.Mutex
	quiet   sync.Cond // a connection ended
	open    int       // connections
	devices []killDevice
	applied int // devices that took the update
	// The trap goes off once, at a step after a number of devices have taken the update.
	trap *killTrap
}

type killDevice struct {
	fault      killFault
	pushes     int // that arrived whole
	key        string
	applied    int // times that it installed the update
	again      int // pushes that arrived although it had the update
	verifies   int
	installing int // verifications that it will answer with installing
}

type killTrap struct {
	after int
	step  killStep
	kill  func()
}

type killStep int

const (
	beforeApplied killStep = iota // the push has arrived; the device takes it after the kill
	afterApplied                  // the device has it, and the answer is never sent
	whileVerified                 // the device is asked what it runs
	numKillSteps
)

// killFault is what a device does to its first push.
type killFault int

const (
	behaves killFault = iota
	losesTheAnswer
	failsOnce   // 500, and doesn't take it
	isBusyOnce  // 503, likewise
	resetsOnce  // in the middle of the body
	takesItsOwn // 202: installing for a while
	numKillFaults
	neverTakesIt // 404
)

func newKillFleet(t testing.TB, devices int, rnd *rand.Rand) *killFleet {
	f := &killFleet{devices: make([]killDevice, devices)}
	f.quiet.L = &f.mu
	for i := range f.devices {
		f.devices[i].fault = killFault(rnd.IntN(int(numKillFaults)))
		if i%25 == 24 {
			f.devices[i].fault = neverTakesIt
		}
	}
	f.server = httptest.NewUnstartedServer(http.HandlerFunc(f.serve))
	f.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		f.mu.Lock()
		defer f.mu.Unlock()
		switch s {
		case http.StateNew:
			f.open++
		case http.StateClosed, http.StateHijacked:
			f.open--
			f.quiet.Broadcast()
		}
	}
	f.server.Start()
	t.Cleanup(f.server.Close)
	return f
}

func (f *killFleet) addresses() []string {
	var all []string
	for i := range f.devices {
		all = append(all, fmt.Sprintf("%s/d/%d", f.server.URL, i))
	}
	return all
}

func (f *killFleet) serve(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/") // "", d, 17, update
	if len(parts) != 4 {
		return
	}
	i, err := strconv.Atoi(parts[2])
	if err != nil {
		panic(err)
	}
	if parts[3] == "version" {
		f.reached(whileVerified)
		f.version(w, i)
		return
	}
	f.push(w, r, i)
}

// reached is called at each step, without the lock. It returns when the process that the trap
// caught is dead.
func (f *killFleet) reached(step killStep) {
	f.mu.Lock()
	trap := f.trap
	off := trap != nil && f.applied >= trap.after && step == trap.step
	if off {
		f.trap = nil
	}
	f.mu.Unlock()
	if off {
		trap.kill()
	}
}

func (f *killFleet) push(w http.ResponseWriter, r *http.Request, i int) {
	f.mu.Lock()
	d := &f.devices[i]
	first := d.pushes == 0
	fault := d.fault
	if fault == resetsOnce && first {
		d.pushes++
		f.mu.Unlock()
		hangUp(w, true)
		return
	}
	f.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	if err != nil || string(body) != "firmware" {
		return
	}
	f.reached(beforeApplied)

	f.mu.Lock()
	d.pushes++
	switch {
	case fault == neverTakesIt:
		f.mu.Unlock()
		w.WriteHeader(http.StatusNotFound)
		return
	case fault == failsOnce && first, fault == isBusyOnce && first:
		f.mu.Unlock()
		w.WriteHeader(map[killFault]int{failsOnce: 500, isBusyOnce: 503}[fault])
		return
	case d.applied > 0:
		d.again++
		if d.key != r.Header.Get("Idempotency-Key") {
			d.applied++
		}
	default:
		d.key = r.Header.Get("Idempotency-Key")
		d.applied++
		f.applied++
	}
	if fault == takesItsOwn {
		d.installing = 2
	}
	f.mu.Unlock()
	f.reached(afterApplied)
	switch fault {
	case losesTheAnswer:
		hangUp(w, false)
	case takesItsOwn:
		w.WriteHeader(http.StatusAccepted)
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"success":true,"message":"applied"}`)
	}
}

func (f *killFleet) version(w http.ResponseWriter, i int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := &f.devices[i]
	d.verifies++
	version, digest, state := "1.0.0", "", "idle"
	if d.applied > 0 {
		version, digest = "2.0.0", fmt.Sprintf("%x", sha256.Sum256([]byte("firmware")))
	}
	if d.installing > 0 {
		d.installing--
		state = "installing"
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"device_id":"till-%d","version":%q,"digest":%q,"state":%q}`, i, version, digest, state)
}

// hangUp ends the connection without an answer.
func hangUp(w http.ResponseWriter, reset bool) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	if tc, ok := c.(*net.TCPConn); ok && reset {
		_ = tc.SetLinger(0)
	}
	_ = c.Close()
}

// settle returns when the fleet has processed everything that a dead process sent. Connections are
// accepted in order, so once settle's own is accepted, so were all of that process.
func (f *killFleet) settle(t testing.TB) {
	t.Helper()
	c, err := net.Dial("tcp", f.server.Listener.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: fleet\r\nConnection: close\r\n\r\n")
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, c)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.open > 0 {
		f.quiet.Wait()
	}
}

// TestRolloutSurvivesSIGKILL runs a rollout of 300 devices, most of them with a fault, and kills it
// at 20 moments. A moment is a step of a request after a number of devices have taken the update;
// both are drawn with a fixed seed. Some kills also cut the end of the journal, as a power failure
// would. Afterwards every healthy device was updated once, none was sent the update when it already
// had it, and none was left out.
func TestRolloutSurvivesSIGKILL(t *testing.T) {
	const devices, unhealthy, kills = 300, 12, 20
	rnd := rand.New(rand.NewPCG(3, 20261123))
	fleet := newKillFleet(t, devices, rnd)
	order := rolloutOrderFor(t, fleet.addresses())

	// Not at the very end, because the devices that are under way at a kill may still take the
	// update.
	moments := rnd.Perm(devices - unhealthy - 3*order.Workers)[:kills]
	slices.Sort(moments)
	torn, steps := 0, map[killStep]int{}
	for n, after := range moments {
		step := killStep(rnd.IntN(int(numKillSteps)))
		steps[step]++
		ready := make(chan *rolloutProcess, 1)
		fleet.mu.Lock()
		fleet.trap = &killTrap{after: after, step: step, kill: func() { (<-ready).kill() }}
		fleet.mu.Unlock()
		p := startRollout(t, order)
		ready <- p
		_, finished := p.wait(t)
		require.False(t, finished, "kill %d after %d devices at step %d: it wasn't killed", n, after, step)
		fleet.settle(t)
		if rnd.IntN(2) == 0 && tear(t, order.Journal.Path, rnd.IntN(300)) {
			torn++
		}
	}
	require.Positive(t, torn)
	require.Len(t, steps, int(numKillSteps), "every step had its kills")

	report, finished := startRollout(t, order).wait(t)
	require.True(t, finished)
	require.True(t, report.Resumed)
	require.Equal(t, devices-unhealthy, report.Updated+report.HadIt+report.DoneBefore)
	require.Equal(t, unhealthy, report.Failed.Total())
	require.Zero(t, report.NotReached)
	require.Positive(t, report.DoneBefore, "the journal spared some of them the question")
	fleet.check(t)

	// One more run finds nothing to do, and asks only those that failed.
	before := fleet.asked()
	report, finished = startRollout(t, order).wait(t)
	require.True(t, finished)
	require.Equal(t, devices-unhealthy, report.DoneBefore)
	require.Equal(t, unhealthy, report.Failed.Total())
	for i, n := range fleet.asked() {
		if fleet.devices[i].fault != neverTakesIt {
			require.Equal(t, before[i], n, "till-%d", i)
		}
	}
	fleet.check(t)
}

// check compares what the devices saw with what should have happened.
func (f *killFleet) check(t testing.TB) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, d := range f.devices {
		want := 1
		if d.fault == neverTakesIt {
			want = 0
		}
		require.Equal(t, want, d.applied, "till-%d, fault %d", i, d.fault)
		require.Zero(t, d.again, "till-%d, fault %d: it was sent the update when it had it", i, d.fault)
	}
}

func (f *killFleet) asked() []int {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []int
	for _, d := range f.devices {
		all = append(all, d.verifies)
	}
	return all
}

// tear removes up to n bytes from the journal's end, but never from its first line.
func tear(t testing.TB, path string, n int) bool {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	header := bytes.IndexByte(text, '\n') + 1
	left := max(header, len(text)-n)
	require.NoError(t, os.Truncate(path, int64(left)))
	return left < len(text)
}
