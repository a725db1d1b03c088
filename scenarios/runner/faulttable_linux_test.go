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

// faultRow is a fault, and what must be seen of it. A fleet of two devices has the fault. Device 0
// gets a single operation, which shows the class of the error. Device 1 gets a Deliver, which shows
// how the client deals with the fault.
//
// The file is for Linux because on other systems a port can't be made to refuse or to stall.
type faultRow struct {
	name  string // name of the fault, followed by a slash and the variant if there are several
	fault fault.Fault
	tls   behavior.TLSMode

	artifactSize   int                    // in bytes; 0 means 1 KiB
	config         func(*delivery.Config) // changes faultConfig; may be nil
	warmConnection bool                   // request the version first, which leaves an idle connection

	// The operation on device 0.
	before       []delivery.Op  // operations before it, which the fault doesn't hit
	op           delivery.Op    // "" means a push
	opClass      delivery.Class // of its error; ClassUnknown means success
	opStatus     int            // of its error
	opRetryAfter time.Duration  // of its error
	opErrorIs    error          // that its error wraps; may be nil
	opErrorText  string         // part of its error's text
	opCounts     counts         // of device 0, once the client is done

	// Deliver on device 1.
	healed          bool                           // whether the faults change when the client first fails to connect
	healedFaults    []fault.Fault                  // the faults from then on
	deliverClass    delivery.Class                 // of its error; ClassUnknown means success
	deliverErrorIs  error                          // that its error wraps; may be nil
	deliverRequests delivery.Report                // Pushes and Verifies of its report; not checked if both are 0
	deliverCounts   counts                         // of device 1, once the client is done
	extraRequests   bool                           // on a busy machine, there may be more requests than this
	check           func(*testing.T, *faultClient) // further checks after Deliver; may be nil
}

// counts is what the ledger has about one device. No update is ever applied twice.
type counts struct {
	pushes, applied, repeats, rejected, falseAcks, installFailures, broken, verifies, aborted uint32

	hits uint32 // of the row's fault; no other fault may hit
}

// faultTimeout is the timeout of rows that wait for one. All other timeouts are far longer than any
// row takes.
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
				// Goroutines inherit labels, so the label distinguishes a row's goroutines from those of
				// rows that run at the same time.
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

// contract returns the faults that both packages must agree on.
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

// beyondContract has the faults that only mockfleet defines.
var beyondContract = []string{"failed-install"}

// TestFaultTableIsWhole checks that the table has every fault of the contract, and every kind of fault
// and TLS mode that a fleet can have.
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

// leavesNothingOpen checks at the end of the test that the rows left neither goroutines nor descriptors.
func leavesNothingOpen(t *testing.T) {
	fleet, err := mockfleet.Start(t.Context(), mockfleet.Config{Devices: 1})
	require.NoError(t, err)
	require.NoError(t, fleet.Close()) // opens the descriptors of the runtime's poller, which stay open
	goroutines, descriptors := goleak.IgnoreCurrent(), openFiles(t)
	t.Cleanup(func() {
		goleak.VerifyNone(t, goroutines)
		assert.LessOrEqual(t, openFiles(t), descriptors)
	})
}

func openFiles(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	assert.NoError(t, err) // require would end the cleanup, and hide the rows' failures
	return len(entries)
}

// goroutinesOf returns the stacks of the running goroutines that t has started.
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

	one := row.newClient(ctx, t, transport, fleet, 0)
	for _, op := range row.before {
		require.NoError(t, one.do(op))
	}
	row.checkError(t, one.do(row.op))
	one.end()
	row.checkCounts(t, fleet, 0, row.opCounts)

	two := row.newClient(ctx, t, transport, fleet, 1)
	report, err := two.client.Deliver(ctx, two.device, two.update)
	require.Equal(t, row.deliverClass, delivery.ClassOf(err), "%v", err)
	require.Equal(t, row.deliverClass == delivery.ClassUnknown, err == nil, "%v", err)
	require.Equal(t, row.deliverClass == delivery.ClassIntegrity, errors.Is(err, delivery.ErrQuarantined))
	if row.deliverErrorIs != nil {
		require.ErrorIs(t, err, row.deliverErrorIs)
	}
	if row.deliverRequests != (delivery.Report{}) && !row.extraRequests {
		require.Equal(t, row.deliverRequests, delivery.Report{Pushes: report.Pushes, Verifies: report.Verifies})
	}
	if row.check != nil {
		row.check(t, two)
	}
	two.end()
	row.checkCounts(t, fleet, 1, row.deliverCounts)
	row.checkCounts(t, fleet, 0, row.opCounts) // it received nothing that was meant for device 1
}

func (row *faultRow) checkError(t *testing.T, err error) {
	if row.opClass == delivery.ClassUnknown {
		require.NoError(t, err)
		return
	}
	var e *delivery.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, row.opClass, e.Class, "%v", err)
	require.Equal(t, row.opStatus, e.Status, "%v", err)
	require.Equal(t, row.opRetryAfter, e.RetryAfter, "%v", err)
	require.Contains(t, err.Error(), row.opErrorText)
	if row.opErrorIs != nil {
		require.ErrorIs(t, err, row.opErrorIs)
	}
}

// checkCounts compares the ledger's counts of device i.
func (row *faultRow) checkCounts(t *testing.T, fleet *mockfleet.Fleet, i int, want counts) {
	d, err := fleet.Device(i)
	require.NoError(t, err)
	hits := map[string]uint32{row.fault.Kind: want.hits}
	if want.hits == 0 {
		hits = nil
	}
	require.Equal(t, hits, d.Faults, "device %d", i)
	require.Zero(t, d.AppliedTwice, "device %d", i)
	require.Zero(t, d.Misdirected, "device %d", i)
	got := counts{
		d.Pushes, d.Applied, d.Repeats, d.Rejected, d.FalseAcks, d.InstallFailures, d.Incomplete, d.Verifies,
		d.ConnectionsAborted, want.hits,
	}
	if row.extraRequests {
		require.GreaterOrEqual(t, got.pushes, want.pushes)
		require.GreaterOrEqual(t, got.verifies, want.verifies)
		require.GreaterOrEqual(t, got.broken, want.broken)
		got.pushes, got.verifies, got.broken = want.pushes, want.verifies, want.broken
	}
	require.Equal(t, want, got, "device %d", i)
}

// faultClient is a client of one device, all of whose connections are counted.
type faultClient struct {
	t         *testing.T
	ctx       context.Context
	transport delivery.Transport
	fleet     *mockfleet.Fleet
	client    *delivery.Client
	device    delivery.Device
	update    *delivery.Update
	most      int // largest answer that the client reads, in bytes

	dials, open atomic.Int64
	failing     sync.Once
	failed      func() // called when a connection first can't be opened
}

func (row *faultRow) newClient(ctx context.Context, t *testing.T, transport delivery.Transport, fleet *mockfleet.Fleet,
	i int) *faultClient {
	r := &faultClient{
		t: t, ctx: ctx, transport: transport, fleet: fleet, failed: func() {},
		device: delivery.Device{ID: address.DeviceID(i), Address: fleet.DeviceAddress(i)},
	}
	if row.healed && i == 1 {
		r.failed = func() {
			if err := fleet.SetFaults(i, behavior.Behavior{Faults: row.healedFaults}); err != nil {
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
	t.Cleanup(r.client.Close) // if a check fails before end closes it
	artifact, err := delivery.ArtifactFromBytes(make([]byte, max(row.artifactSize, 1<<10)))
	require.NoError(t, err)
	r.update, err = delivery.NewUpdate("2.0.0", artifact)
	require.NoError(t, err)
	if row.warmConnection {
		require.ErrorIs(t, r.do(delivery.OpVerify), delivery.ErrLacksUpdate)
	}
	return r
}

func (r *faultClient) do(op delivery.Op) error {
	if op == delivery.OpVerify {
		return r.client.Verify(r.ctx, r.device, r.update)
	}
	return r.client.Push(r.ctx, r.device, r.update)
}

// end checks what the client has left open, before and after it is closed: all its connections except
// an idle one must be closed, on its side and on the device's. It also checks that the client read no
// more than necessary of answers that were too large or endless.
func (r *faultClient) end() {
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

func (r *faultClient) dial(ctx context.Context, network, address string) (net.Conn, error) {
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

// countedConn is a connection that decrements open when it is closed.
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
