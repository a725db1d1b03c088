package runner

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

// faultRow is a fault as the devices of a fleet of two make it. Device 0 shows the class: it gets one operation.
// Device 1 shows what the client makes of it: it gets a Deliver.
//
// The file is for Linux because elsewhere a port can't be made to refuse or to stall.
type faultRow struct {
	name  string // of the fault, and behind a slash which form of it
	fault fault.Fault
	tls   behavior.TLSMode

	artifact int                     // its size in bytes; 0 is 1 KiB
	config   func(*delivery.Config)  // what the row needs other than faultConfig
	before   []delivery.Op           // what comes before the operation that shows the class, and is not struck
	op       delivery.Op             // that operation; "" is a push
	warm     bool                    // before anything else, a look at the version leaves a connection to use again
	class    delivery.Class          // of the operation; ClassUnknown is success
	status   int                     // of its error
	after    time.Duration           // RetryAfter of its error
	is       error                   // that errors.Is finds in it
	says     string                  // that its text has
	first    books                   // of device 0, when the client has left
	heal     []fault.Fault           // the faults of device 1 once the client has failed to connect, where healed
	healed   bool                    // whether it gets those
	ends     delivery.Class          // of Deliver; ClassUnknown is success
	endsIs   error                   // that errors.Is finds in its error
	tries    delivery.Report         // Pushes and Verifies of its report; not looked at where both are 0
	then     books                   // of device 1, when the client has left
	busy     bool                    // a busy machine may be late too: there may be more requests than it says
	also     func(*testing.T, *trip) // what else is to be seen at the end of Deliver
}

// books are what the ledger has of one device. Nothing is ever applied twice.
type books struct {
	pushes, applied, repeats, rejected, falseAcks, installFailures, broken, verifies, aborted uint32
	hits                                                                                      uint32 // of the row's fault, and no other
}

// faultTimeout is one that a row waits for; all others are far longer than anything takes.
const faultTimeout = 150 * time.Millisecond

func faultConfig(transport delivery.Transport) delivery.Config {
	return delivery.Config{
		Transport: transport,
		Timeouts: delivery.Timeouts{Dial: 20 * time.Second, TLS: 20 * time.Second, Answer: 20 * time.Second,
			Total: time.Minute},
		Retry: delivery.Retry{
			MaxAttempts: 3, Base: time.Millisecond, Cap: 5 * time.Millisecond, Poll: 2 * time.Millisecond, PollFor: time.Minute,
		},
		Budget:  delivery.RetryBudget{Off: true},
		Breaker: delivery.Breaker{Failures: -1},
	}
}

func TestFaultTable(t *testing.T) {
	leavesNothingOpen(t)
	for i, row := range faultRows() {
		for _, transport := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
			t.Run(row.name+"/"+string(transport), func(t *testing.T) {
				t.Parallel()
				// Goroutines hand the label on to those that they start, so that those of a row can be told
				// from those of the rows beside it.
				pprof.Do(t.Context(), pprof.Labels("row", t.Name()), func(ctx context.Context) {
					row.run(ctx, t, transport, uint64(i))
				})
				if !assert.Eventually(t, func() bool { return goroutinesOf(t) == "" }, 20*time.Second, time.Millisecond) {
					t.Errorf("the row has left goroutines behind:\n%s", goroutinesOf(t))
				}
			})
		}
	}
}

// contract are the rows of FAULTS.md, which the two sides are held to.
func contract() []string {
	return strings.Fields(`refuse blackhole connect-stall reset-on-accept close-on-accept reset-mid-upload close-mid-upload
		stall-mid-upload slow-read slow-answer drip-answer idle-close early-4xx
		status-400 status-401 status-403 status-404 status-415 status-422 status-409 status-408 status-500 status-502 status-504
		status-413 status-429 status-503 status-202
		redirect-301 redirect-302 redirect-303 redirect-307 redirect-308 redirect-loop
		truncated-body truncated-json wrong-content-type garbage header-flood endless-body gzip-bomb
		no-continue status-417 http-1.0 no-chunked tls-expired tls-wrong-name tls-unknown-ca tls-1.1 tls-stall
		applied-but-lost ok-but-not-applied wrong-version wrong-digest wrong-device rollback reboot flapping offline
		duplicate corrupt`)
}

// beyondContract are faults of the fleet's own.
var beyondContract = []string{"failed-install"}

// The table has every row of the contract, and of what a fleet can do, every kind.
func TestFaultTableIsWhole(t *testing.T) {
	unheardOf := behavior.Behavior{Faults: []fault.Fault{{Kind: "?"}}}
	var refused *mockfleet.ConfigError
	require.ErrorAs(t, unheardOf.Validate(), &refused)
	list, ok := strings.CutPrefix(refused.Want, "one of ")
	require.True(t, ok)
	kinds := strings.Split(list, ", ")
	modes := []behavior.TLSMode{
		behavior.TLSGood, behavior.TLSExpired, behavior.TLSWrongName, behavior.TLSUnknownCA, behavior.TLS11,
		behavior.TLSStall,
	}

	var rows, names, inTable []string
	var spoken []behavior.TLSMode
	for _, row := range faultRows() {
		name, _, _ := strings.Cut(row.name, "/")
		rows, names = append(rows, row.name), append(names, name)
		if row.fault.Kind != "" {
			inTable = append(inTable, row.fault.Kind)
			require.Contains(t, []string{name, "status"}, row.fault.Kind)
		}
		if row.tls != behavior.TLSNone {
			spoken = append(spoken, row.tls)
		}
	}
	unique := func(list []string) []string { slices.Sort(list); return slices.Compact(list) }
	require.Len(t, unique(rows), len(faultRows()), "two rows have one name")
	require.Equal(t, unique(append(contract(), beyondContract...)), unique(names))
	require.Equal(t, unique(kinds), unique(inTable))
	require.ElementsMatch(t, modes, spoken)
}

// leavesNothingOpen checks, when all rows have ended, that they left neither goroutines nor descriptors.
func leavesNothingOpen(t *testing.T) {
	fleet, err := mockfleet.Start(t.Context(), mockfleet.Config{Devices: 1})
	require.NoError(t, err)
	require.NoError(t, fleet.Close()) // the runtime keeps the descriptors of its poller
	goroutines, descriptors := goleak.IgnoreCurrent(), openFiles(t)
	t.Cleanup(func() {
		goleak.VerifyNone(t, goroutines)
		assert.LessOrEqual(t, openFiles(t), descriptors)
	})
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	assert.NoError(t, err) // not require: in a cleanup that would keep the rows' failures from being shown
	return len(entries)
}

// goroutinesOf gives the stacks of the goroutines that t has started and that go on.
func goroutinesOf(t *testing.T) string {
	var all bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return err.Error()
	}
	var own []string
	for stack := range strings.SplitSeq(all.String(), "\n\n") {
		if strings.Contains(stack, `"row":`+strconv.Quote(t.Name())) {
			own = append(own, stack)
		}
	}
	return strings.Join(own, "\n\n")
}

func (row *faultRow) run(ctx context.Context, t *testing.T, transport delivery.Transport, seed uint64) {
	cfg := mockfleet.Config{Devices: 2, Addressing: address.Port, Seed: seed, TLS: row.tls}
	if row.fault.Kind != "" {
		cfg.Behavior.Faults = []fault.Fault{row.fault}
	}
	fleet, err := mockfleet.Start(context.WithoutCancel(ctx), cfg)
	require.NoError(t, err)
	defer func() { require.NoError(t, fleet.Close()) }()

	one := row.trip(ctx, t, transport, fleet, 0)
	for _, op := range row.before {
		require.NoError(t, one.do(op))
	}
	row.checkError(t, one.do(row.op))
	one.end()
	row.checkBooks(t, fleet, 0, row.first)

	two := row.trip(ctx, t, transport, fleet, 1)
	report, err := two.client.Deliver(ctx, two.device, two.update)
	require.Equal(t, row.ends, delivery.ClassOf(err), "%v", err)
	require.Equal(t, row.ends == delivery.ClassUnknown, err == nil, "%v", err)
	require.Equal(t, row.ends == delivery.ClassIntegrity, errors.Is(err, delivery.ErrQuarantined))
	if row.endsIs != nil {
		require.ErrorIs(t, err, row.endsIs)
	}
	if row.tries != (delivery.Report{}) && !row.busy {
		require.Equal(t, row.tries, delivery.Report{Pushes: report.Pushes, Verifies: report.Verifies})
	}
	if row.also != nil {
		row.also(t, two)
	}
	two.end()
	row.checkBooks(t, fleet, 1, row.then)
	row.checkBooks(t, fleet, 0, row.first) // it wasn't asked for what the other one was to get
}

func (row *faultRow) checkError(t *testing.T, err error) {
	if row.class == delivery.ClassUnknown {
		require.NoError(t, err)
		return
	}
	var e *delivery.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, row.class, e.Class, "%v", err)
	require.Equal(t, row.status, e.Status, "%v", err)
	require.Equal(t, row.after, e.RetryAfter, "%v", err)
	require.Contains(t, err.Error(), row.says)
	if row.is != nil {
		require.ErrorIs(t, err, row.is)
	}
}

// checkBooks compares what the fleet witnessed of device i.
func (row *faultRow) checkBooks(t *testing.T, fleet *mockfleet.Fleet, i int, want books) {
	d, err := fleet.Device(i)
	require.NoError(t, err)
	hits := map[string]uint32{row.fault.Kind: want.hits}
	if want.hits == 0 {
		hits = nil
	}
	require.Equal(t, hits, d.Faults, "device %d", i)
	require.Zero(t, d.AppliedTwice, "device %d", i)
	require.Zero(t, d.Misdirected, "device %d", i)
	got := books{
		d.Pushes, d.Applied, d.Repeats, d.Rejected, d.FalseAcks, d.InstallFailures, d.Incomplete, d.Verifies,
		d.ConnectionsAborted, want.hits,
	}
	if row.busy {
		require.GreaterOrEqual(t, got.pushes, want.pushes)
		require.GreaterOrEqual(t, got.verifies, want.verifies)
		require.GreaterOrEqual(t, got.broken, want.broken)
		got.pushes, got.verifies, got.broken = want.pushes, want.verifies, want.broken
	}
	require.Equal(t, want, got, "device %d", i)
}

// trip is a client on its way to one device, with all of its connections counted.
type trip struct {
	t         *testing.T
	ctx       context.Context
	transport delivery.Transport
	fleet     *mockfleet.Fleet
	client    *delivery.Client
	device    delivery.Device
	update    *delivery.Update
	most      int // bytes of an answer

	dials, open atomic.Int64
	failing     sync.Once
	failed      func() // called when a connection could not be had, the first time
}

func (row *faultRow) trip(ctx context.Context, t *testing.T, transport delivery.Transport, fleet *mockfleet.Fleet,
	i int) *trip {
	r := &trip{
		t: t, ctx: ctx, transport: transport, fleet: fleet, failed: func() {},
		device: delivery.Device{ID: address.DeviceID(i), Address: fleet.DeviceAddress(i)},
	}
	if row.healed && i == 1 {
		r.failed = func() {
			if err := fleet.SetFaults(i, behavior.Behavior{Faults: row.heal}); err != nil {
				t.Error(err)
			}
		}
	}
	cfg := faultConfig(transport)
	cfg.Dial, cfg.MaxAnswer = r.dial, 32<<10
	if row.tls != behavior.TLSNone {
		cfg.TLS = trusting(t, fleet)
	}
	if row.config != nil {
		row.config(&cfg)
	}
	r.most = cfg.MaxAnswer
	var err error
	r.client, err = delivery.New(cfg)
	require.NoError(t, err)
	t.Cleanup(r.client.Close) // where a check has failed before
	artifact, err := delivery.ArtifactFromBytes(make([]byte, max(row.artifact, 1<<10)))
	require.NoError(t, err)
	r.update, err = delivery.NewUpdate("2.0.0", artifact)
	require.NoError(t, err)
	if row.warm {
		require.ErrorIs(t, r.do(delivery.OpVerify), delivery.ErrLacksUpdate)
	}
	return r
}

func (r *trip) do(op delivery.Op) error {
	if op == delivery.OpVerify {
		return r.client.Verify(r.ctx, r.device, r.update)
	}
	return r.client.Push(r.ctx, r.device, r.update)
}

// end looks for what the client has left, before and after it is closed: but for one connection that lies
// idle, those it used are closed, on its side and on the device's; and of answers that were too large, or had no
// end, it has read no more than it must.
func (r *trip) end() {
	t := r.t
	eventually := func(what string, done func() bool) {
		t.Helper()
		require.Eventually(t, done, 20*time.Second, time.Millisecond, what)
	}
	eventually("connections of the client", func() bool { return r.open.Load() <= 1 })
	eventually("connections of the fleet", func() bool { return r.fleet.Status().Connections <= 1 })
	stats := r.client.Stats()
	require.EqualValues(t, r.dials.Load(), stats.Dials)
	require.LessOrEqual(t, stats.BytesRead, (stats.Requests+1)*uint64(r.most+16<<10))
	r.client.Close()
	eventually("connections of a closed client", func() bool { return r.open.Load() == 0 })
	eventually("connections of the fleet to a closed client", func() bool { return r.fleet.Status().Connections == 0 })
}

func (r *trip) dial(ctx context.Context, network, address string) (net.Conn, error) {
	r.dials.Add(1)
	nc, err := (&net.Dialer{}).DialContext(ctx, network, address)
	tcp, ok := nc.(*net.TCPConn)
	if err == nil && !ok {
		err = net.UnknownNetworkError(network)
	}
	if err != nil {
		r.failing.Do(r.failed)
		return nil, err
	}
	r.open.Add(1)
	return &countedConn{TCPConn: tcp, open: &r.open}, nil
}

// countedConn counts itself out when it is closed.
type countedConn struct {
	*net.TCPConn
	open   *atomic.Int64
	closed sync.Once
}

func (c *countedConn) Close() error {
	defer c.closed.Do(func() { c.open.Add(-1) })
	return c.TCPConn.Close()
}

func trusting(t *testing.T, fleet *mockfleet.Fleet) *tls.Config {
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM([]byte(fleet.Ready().CA)))
	return &tls.Config{RootCAs: pool}
}
