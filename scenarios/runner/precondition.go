package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// precondition collects the heap, and does what a load takes for granted before the clock and the
// usage start:
//
//   - It brings the update to every device if the load verifies alone, so that there is something to
//     verify.
//   - It opens connections and uses them if the load has a duration. Opening them is part of a rollout,
//     where each device has one operation. Under a load with a duration it is a fixed cost: divided by
//     the operations that a machine gets round to, it would be different allocations per operation on
//     every machine.
//
// What the devices saw of it is kept apart from what they see of the load.
func (s *Session) precondition(ctx context.Context, t task, c repetitionClient, u *delivery.Update) error {
	spec := t.load
	if spec.Operation == delivery.OpVerify {
		var err error
		health.DoAsClient(ctx, func(ctx context.Context) { err = s.updateDevices(ctx, t.Repetition, u) })
		if err != nil {
			return err
		}
	}
	// Before connections are warmed: it empties the pools that they fill.
	runtime.GC()
	if spec.TotalDuration() > 0 {
		health.DoAsClient(ctx, func(ctx context.Context) { s.warmConnections(ctx, t.Repetition, c, u) })
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := s.target.Witness()
	switch {
	case w == nil:
		return nil
	case spec.Operation == delivery.OpVerify: // a reset would take the update away again
		return s.claims.setOffset(w.Ledger(ctx))
	case spec.TotalDuration() > 0:
		return w.Reset(ctx)
	}
	return nil
}

// updateDevices brings the update to every device, by a client of its own, because the load's
// begins without connections.
func (s *Session) updateDevices(ctx context.Context, rep Repetition, u *delivery.Update) error {
	cfg := s.clients.config
	cfg.Random = rand.NewPCG(s.spec.Seed, 0) // the repetitions count from 1
	client, err := s.clients.newClient(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	spec := s.spec.Load
	spec.Model, spec.Rate, spec.Duration, spec.Drain = scenarios.ClosedLoop, 0, 0, 0
	devices := s.target.Devices()
	record := load.NewRecording(load.RecordingConfig{
		Op: delivery.OpDeliver, Devices: devices.Len(), Workers: 1, Longest: longest(s.spec),
	})
	stop := s.reportPreparing(rep, "updating devices", func() (int, int) {
		t := record.Totals()
		return int(t.Succeeded + t.Failed), devices.Len()
	})
	_, err = executorOf(spec, 0, nil).Run(ctx, load.Env{
		Client: client, Op: delivery.OpDeliver, Devices: devices, Update: u, Record: record,
	})
	stop()
	if err != nil {
		return err
	}
	if failed := record.Totals().Failed; failed > 0 && ctx.Err() == nil {
		return fmt.Errorf("readying the devices for verification: %d of %d updates failed: %s",
			failed, devices.Len(), classesText(record.Failures))
	}
	return ctx.Err()
}

// warmRounds is how often each connection is used before the load: a client may make one thing at a
// connection's first use, and another at its second.
const warmRounds = 4

// Opening connections has deadlines of its own, for a device that hangs would hold a worker as long
// as the client's own let it.
const (
	openingEach = 500 * time.Millisecond // of a request
	openingAll  = 5 * time.Second        // of all of them; what isn't open then is opened in the load
)

// warmConnections opens the connections that the load will keep, and uses each. The load says what
// fails; a device that fails here is left alone until an operation of the load succeeds with it.
func (s *Session) warmConnections(ctx context.Context, rep Repetition, c repetitionClient, u *delivery.Update) {
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
	stop := s.reportPreparing(rep, "opening connections", func() (int, int) { return min(o.count(), wanted), wanted })
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(openingAll, cancel).Stop()
	barrier := c.dialer.hold(workers)
	defer time.AfterFunc(openingEach/2, c.dialer.release).Stop() // who waits longer for the others is no failure
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for turn := 0; turn < warmRounds*rounds && ctx.Err() == nil; turn++ {
				device := (turn*workers + i) % devices.Len()
				o.use(ctx, device, turn < rounds, func(ctx context.Context) error { return c.Verify(ctx, devices.At(device), u) })
				if turn == 0 {
					barrier.done(1)
				}
				if turn == 0 && push && !o.failed(device) { // a slow push is no reason to leave a device alone
					_ = within(ctx, func(ctx context.Context) error { return c.Push(ctx, devices.At(device), u) })
				}
			}
		})
	}
	all.Wait()
	c.dialer.release()
	s.unopened.devices = o.unopened
	s.unopened.most = max(s.unopened.most, len(o.unopened))
}

// unopened counts devices whose connection could not be opened before a load.
type unopened struct {
	devices map[int]bool // that are left alone
	most    int          // of them, at a time
}

// dropResponsive removes devices that an operation of the load succeeded with, so that they are
// tried again before the next load: it was the machine that was slow.
func (u *unopened) dropResponsive(c *claims) {
	for device := range u.devices {
		if c.Of(device).Succeeded > 0 {
			delete(u.devices, device)
		}
	}
}

// text says how many connections were not opened before the load, by the worst of the repetitions,
// of so many devices. It returns "" if all were.
func (u *unopened) text(devices int) string {
	if u.most == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s devices did not answer within %v before the load, "+
		"so that their connections were opened in it",
		plaintext.Thousands(u.most), plaintext.Thousands(devices), openingEach)
}

// opening is connections on their way to be open. Any number of goroutines may use it.
type opening struct {
	mu       sync.Mutex
	unopened map[int]bool // devices that failed, and are left alone
	done     int          // connections that were opened, or can't be
}

// use does something over a device's connection, unless the device has failed. first says that
// nobody has yet. A request that doesn't answer an opened connection is a failure as any, but for
// those that ctx broke off.
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

// unanswered reports whether a request failed for want of an answer: what the device says doesn't
// matter.
func unanswered(err error) bool {
	if err == nil || delivery.ClassOf(err) == delivery.ClassIntegrity {
		return false
	}
	if e, ok := errors.AsType[*delivery.Error](err); ok {
		return e.Status == 0
	}
	_, network := errors.AsType[net.Error](err) // of another client; a context's deadline is one, too
	return network || errors.Is(err, context.Canceled)
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

// within gives a request its time. The context has no deadline, as those of the load have none: a
// client may do other things where there is one.
func within(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(openingEach, cancel).Stop()
	return request(ctx)
}

// reportPreparing tells the observer how far the preparation of a repetition is, until stop is
// called.
func (s *Session) reportPreparing(rep Repetition, what string, sofar func() (done, of int)) (stop func()) {
	return everyInterval(func() {
		done, of := sofar()
		s.observer.Preparing(rep, what, done, of)
	})
}
