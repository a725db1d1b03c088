package runner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// prime collects the heap, and does what a load takes for granted before the clock and
// the gauge start:
//
//   - There is something to verify: where the load verifies alone, every device is
//     brought the update.
//   - Connections stand, where the load goes on for a time. Opening them is part of
//     a rollout, where each device has one operation. Under a load that goes on it
//     is a fixed cost, which divided by the operations that a machine gets round to
//     would be other allocations an operation on every machine.
//
// What the devices saw of it is kept apart from what they see of the load.
func (s *Session) prime(ctx context.Context, t task, c repetitionClient, u *delivery.Update) error {
	spec := t.load
	if spec.Operation == delivery.OpVerify {
		var err error
		health.DoAsClient(ctx, func(ctx context.Context) { err = s.primeDevices(ctx, t.Repetition, u) })
		if err != nil {
			return err
		}
	}
	// Before connections are primed: it empties the pools that they fill.
	runtime.GC()
	if spec.TotalDuration() > 0 {
		health.DoAsClient(ctx, func(ctx context.Context) { s.primeConnections(ctx, t.Repetition, c, u) })
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := s.target.Witness()
	switch {
	case w == nil:
		return nil
	case spec.Operation == delivery.OpVerify: // a reset would take the update away again
		return s.claims.discount(w.Ledger(ctx))
	case spec.TotalDuration() > 0:
		return w.Reset(ctx)
	}
	return nil
}

// primeDevices brings the update to every device, by a client of its own: the load's
// begins without connections.
func (s *Session) primeDevices(ctx context.Context, rep Repetition, u *delivery.Update) error {
	cfg := s.clients.config
	cfg.Random = rand.NewPCG(s.spec.Seed, 0) // the repetitions count from 1
	client, err := delivery.New(cfg)
	if err != nil {
		return err
	}
	defer client.Close()
	spec := s.spec.Load
	spec.Model, spec.Rate, spec.Duration, spec.Drain = scenarios.ClosedLoop, 0, 0, 0
	devices := s.target.Devices()
	record := load.NewRecording(load.RecordingConfig{Op: delivery.OpDeliver, Devices: devices.Len(), Workers: 1, Longest: longest(s.spec)})
	told := s.tellPreparing(rep, "updating devices", func() (int, int) {
		t := record.Totals()
		return int(t.Succeeded + t.Failed), devices.Len()
	})
	_, err = executorOf(spec, 0, nil).Run(ctx, load.Env{Client: production{client}, Op: delivery.OpDeliver, Devices: devices, Update: u, Record: record})
	told()
	if err != nil {
		return err
	}
	if failed := record.Totals().Failed; failed > 0 && ctx.Err() == nil {
		return fmt.Errorf("readying the devices for verification: %d of %d updates failed: %s", failed, devices.Len(), classesText(record.Failures))
	}
	return ctx.Err()
}

// primings is how often each connection is used before the load: a client may make
// one thing at a connection's first use, and another at its second.
const primings = 4

// Opening connections has deadlines of its own, for a device that hangs would hold a worker as long as
// the client's own let it.
const (
	openingEach = 500 * time.Millisecond // of a request
	openingAll  = 5 * time.Second        // of all of them; what isn't open then is opened in the load
)

// primeConnections opens the connections that the load will keep, and uses each. The load says what
// fails; a device that fails here is left alone until an operation of the load succeeds with it.
func (s *Session) primeConnections(ctx context.Context, rep Repetition, c repetitionClient, u *delivery.Update) {
	devices := s.target.Devices()
	workers, _ := s.spec.Load.WorkerRange()
	// Each worker has a device in turn, as under the load. Where there are more
	// devices than connections are kept, none lasts until its device's next turn, and
	// opening one is a part of each operation.
	rounds, wanted := 1, workers
	if kept := devices.Len(); kept > workers && kept <= s.spec.Client.MaxIdle {
		rounds, wanted = kept/workers+1, kept
	}
	// A client makes other things for a push than for a verification. One push a worker
	// will do; the fleet forgets it afterwards, where there is a way to tell it to.
	push := s.spec.Load.Operation != delivery.OpVerify && s.target.Witness() != nil
	o := &opening{unopened: s.unopened.devices}
	told := s.tellPreparing(rep, "opening connections", func() (int, int) { return min(o.count(), wanted), wanted })
	defer told()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(openingAll, cancel).Stop()
	meeting := c.dialer.meet(workers)
	defer time.AfterFunc(openingEach/2, c.dialer.part).Stop() // who waits longer for the others is no failure
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for turn := 0; turn < primings*rounds && ctx.Err() == nil; turn++ {
				device := (turn*workers + i) % devices.Len()
				o.use(ctx, device, turn < rounds, func(ctx context.Context) error { return c.Verify(ctx, devices.At(device), u) })
				if turn == 0 {
					meeting.leave(1)
				}
				if turn == 0 && push && !o.failed(device) { // a slow push is no reason to leave a device alone
					_ = within(ctx, func(ctx context.Context) error { return c.Push(ctx, devices.At(device), u) })
				}
			}
		})
	}
	all.Wait()
	c.dialer.part()
	s.unopened.devices = o.unopened
	s.unopened.most = max(s.unopened.most, len(o.unopened))
}

// unopened counts devices whose connection could not be opened before a load.
type unopened struct {
	devices map[int]bool // that are left alone
	most    int          // of them, at a time
}

// forgive has devices that an operation of the load succeeded with be tried again before the next one:
// it was the machine that was slow.
func (u *unopened) forgive(c *claims) {
	for device := range u.devices {
		if c.Of(device).Succeeded > 0 {
			delete(u.devices, device)
		}
	}
}

// text says how many connections were not opened before the load, by the worst of the repetitions, of
// so many devices. It returns "" if all were.
func (u *unopened) text(devices int) string {
	if u.most == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s devices did not answer within %v before the load, so that their connections were opened in it",
		plaintext.Thousands(u.most), plaintext.Thousands(devices), openingEach)
}

// opening is connections on their way to be open. Any number of goroutines may use it.
type opening struct {
	mu       sync.Mutex
	unopened map[int]bool // devices that failed, and are left alone
	done     int          // connections that were opened, or can't be
}

// use does something over a device's connection, unless the device has failed. first says that nobody
// has yet. A request that doesn't answer an opened connection is a failure as any, but for those that
// ctx broke off.
func (o *opening) use(ctx context.Context, device int, first bool, request func(context.Context) error) {
	failed := o.failed(device)
	if !failed && unanswered(within(ctx, request)) && ctx.Err() == nil {
		failed = true
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if first {
		o.done++
	}
	if failed {
		if o.unopened == nil {
			o.unopened = map[int]bool{}
		}
		o.unopened[device] = true
	}
}

// unanswered reports whether a request failed for want of an answer: what the device says doesn't matter.
func unanswered(err error) bool {
	if err == nil || delivery.ClassOf(err) == delivery.ClassIntegrity {
		return false
	}
	e, ok := errors.AsType[*delivery.Error](err)
	return !ok || e.Status == 0
}

func (o *opening) failed(device int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unopened[device]
}

func (o *opening) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done
}

// within gives a request its time. The context has no deadline, as those of the load have none: a client
// may do other things where there is one.
func within(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(openingEach, cancel).Stop()
	return request(ctx)
}

// tellPreparing tells the observer how far something is that comes before a repetition, until the function that
// it returns is called.
func (s *Session) tellPreparing(rep Repetition, what string, sofar func() (done, of int)) (stop func()) {
	return everyNowAndThen(func() {
		done, of := sofar()
		s.observer.Preparing(rep, what, done, of)
	})
}

// everyNowAndThen calls what some times a second until the function that it returns is called.
func everyNowAndThen(what func()) (stop func()) {
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(progressInterval)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				what()
			}
		}
	}()
	return func() { close(ended); <-done }
}

// dialer opens the client's connections. While connections are primed it holds each
// back until every worker has one of its own: else the first ones would be free
// again before the last worker began, and fewer be opened than the load needs.
type dialer struct {
	net     net.Dialer
	mu      sync.Mutex
	meeting *meeting

	noPort, noDescriptor atomic.Int64
}

// refusals are connections that this side could not begin, for want of something of
// its own: such a failure is no device's.
type refusals struct {
	noPort       int64 // no local port was free, or no local address fits the peer's
	noDescriptor int64
}

func (d *dialer) refused() refusals { return refusals{d.noPort.Load(), d.noDescriptor.Load()} }

// count takes note of why a connection could not be begun.
func (d *dialer) count(err error) {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		d.noPort.Add(1)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		d.noDescriptor.Add(1)
	}
}

// meeting is workers that wait for each other, once.
type meeting struct {
	mu      sync.Mutex
	missing int
	all     chan struct{} // closed when none is missing
}

// meet begins a meeting: as many connections are opened as there are workers, but
// for those that leave, before the first of them is used.
func (d *dialer) meet(workers int) *meeting {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.meeting = &meeting{missing: workers, all: make(chan struct{})}
	return d.meeting
}

// part ends a meeting, whoever is missing.
func (d *dialer) part() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.meeting != nil {
		d.meeting.leave(math.MaxInt)
		d.meeting = nil
	}
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := d.net.DialContext(ctx, network, address)
	if err != nil {
		d.count(err)
		return nil, err
	}
	d.mu.Lock()
	m := d.meeting
	d.mu.Unlock()
	if m != nil {
		m.arrive(ctx)
	}
	return c, nil
}

// arrive waits for the others, as long as the context lets it.
func (m *meeting) arrive(ctx context.Context) {
	m.leave(1)
	select {
	case <-m.all:
	case <-ctx.Done():
	}
}

// leave is for n that needn't be waited for any longer. A worker that dialed and then
// leaves counts twice; by then all have come, or dialing fails.
func (m *meeting) leave(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.missing <= 0 {
		return
	}
	if m.missing -= n; m.missing <= 0 {
		close(m.all)
	}
}
