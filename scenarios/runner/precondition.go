package runner

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

// precondition collects the heap, and does what a load needs before its clock starts and its usage
// counts:
//
//   - It sends the update to every device if the load only verifies, so that there is something
//     to verify.
//   - It opens connections and uses them if the load has a duration. In a rollout, where each
//     device has one operation, opening its connection is part of that. In a load with a duration,
//     it is a fixed cost. Divided by the number of operations, which depends on how fast the
//     machine is, it would make allocations per operation differ between machines.
//
// The requests don't count as the load's in the fleet's ledger: the fleet is made to forget them,
// or they are subtracted later.
func (s *Session) precondition(ctx context.Context, t task, c repetitionClient, u *delivery.Update) error {
	spec := t.load
	if spec.Operation == delivery.OpVerify {
		var err error
		health.DoAsClient(ctx, func(ctx context.Context) { err = s.updateDevices(ctx, t.Repetition, u) })
		if err != nil {
			return err
		}
	}
	// A collection empties the pools that warming fills, so it comes first.
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
	case spec.Operation == delivery.OpVerify: // a reset would remove the update again
		return s.claims.setOffset(w.Ledger(ctx))
	case spec.TotalDuration() > 0:
		return w.Reset(ctx)
	}
	return nil
}

// updateDevices sends the update to every device with a client of its own, because the load's
// client begins without connections.
func (s *Session) updateDevices(ctx context.Context, rep Repetition, u *delivery.Update) error {
	cfg := s.clients.config
	cfg.Random = rand.NewPCG(s.spec.Seed, uint64(s.spec.Shard.Index)<<32) // no repetition has number 0
	client, err := s.clients.newClient(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	spec := s.spec.Load
	spec.Model, spec.Rate, spec.Duration, spec.Drain = scenarios.ClosedLoop, 0, 0, 0
	devices := s.target.Devices()
	record := load.NewRecording(load.RecordingConfig{
		Op: delivery.OpDeliver, Devices: devices.Len(), Workers: 1, Longest: longest(s.whole),
	})
	s.updating.Store(record)
	defer s.updating.Store(nil)
	stop := s.reportActivity(rep, Updating, func() (int, int) {
		t := record.Totals()
		return int(t.Succeeded + t.Failed), devices.Len()
	})
	_, err = executorOf(spec, 0, s.loadShard(), nil).Run(ctx, load.Env{
		Client: client, Op: delivery.OpDeliver, Devices: devices, Update: u, Record: record,
	})
	stop()
	if err != nil {
		return err
	}
	if failed := record.Totals().Failed; failed > 0 && ctx.Err() == nil {
		return fmt.Errorf("readying the devices for verification: %d of %d updates failed: %s",
			failed, devices.Len(), classesText(record.Failures.ByClass()))
	}
	return ctx.Err()
}

// warmRounds is how often each connection is used before the load. A client may allocate something
// at a connection's first use, and something else at its second.
const warmRounds = 4

// Opening connections has its own deadlines, since a device that hangs would keep a worker for as
// long as the client's deadlines allow.
const (
	openingEach = 500 * time.Millisecond // for one request
	openingAll  = 5 * time.Second        // for all requests; connections that aren't open by then are opened in the load
)

// warmConnections opens the connections that the load will keep, and uses each. It returns no
// error, since a request that fails here will also fail in the load, where it counts. A device that
// doesn't answer gets no further request until an operation of a load succeeds with it.
func (s *Session) warmConnections(ctx context.Context, rep Repetition, c repetitionClient, u *delivery.Update) {
	devices := s.target.Devices()
	workers, _ := s.spec.Load.WorkerRange()
	// Each worker visits its devices in turn, as in the load. If there are more devices than the
	// client keeps connections, no connection lasts until its device's next turn. Then opening one
	// is part of each operation, and one connection for each worker is enough here.
	rounds, wanted := 1, workers
	if kept := devices.Len(); kept > workers && kept <= s.spec.Client.MaxIdle {
		rounds, wanted = kept/workers+1, kept
	}
	// A client's first push allocates other things than its first verification. One push for each
	// worker is enough. The fleet must be able to forget the push afterwards.
	push := s.spec.Load.Operation != delivery.OpVerify && s.target.Witness() != nil
	o := &opening{unopened: s.unopened.devices}
	stop := s.reportActivity(rep, Opening, func() (int, int) { return min(o.count(), wanted), wanted })
	defer stop()
	if p := c.pool(); p != nil { // a process goes on with a request that is given up here
		late, giveUp := context.WithTimeout(ctx, 2*openingAll)
		defer giveUp()
		defer p.Settle(late)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(openingAll, cancel).Stop()
	barrier := c.dialer.hold(workers)
	// Release requests that wait for other workers before they run out of time.
	defer time.AfterFunc(openingEach/2, c.dialer.release).Stop()
	var all sync.WaitGroup
	for i := range workers {
		all.Go(func() {
			for turn := 0; turn < warmRounds*rounds && ctx.Err() == nil; turn++ {
				device := (turn*workers + i) % devices.Len()
				o.use(ctx, device, turn < rounds, func(ctx context.Context) error { return c.Verify(ctx, devices.At(device), u) })
				if turn == 0 {
					barrier.done(1)
				}
				if turn == 0 && push && !o.failed(device) { // whether the push is answered in time doesn't matter
					_ = within(ctx, func(ctx context.Context) error { return c.Push(ctx, devices.At(device), u) })
				}
			}
		})
	}
	endWithin(&all, 2*openingAll) // requests that don't end with their context are the watchdog's concern
	c.dialer.release()
	s.unopened.devices = o.silent()
	s.unopened.most = max(s.unopened.most, len(s.unopened.devices))
}

// endWithin waits until all goroutines of a group have ended, but no longer than limit. It reports
// whether they have.
func endWithin(all *sync.WaitGroup, limit time.Duration) bool {
	ended := make(chan struct{})
	go func() { // ends with the last of them
		defer close(ended)
		all.Wait()
	}()
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case <-ended:
		return true
	case <-late.C:
		return false
	}
}

// unopened records the devices to which no connection could be opened before a load.
type unopened struct {
	devices map[int]bool // devices that didn't answer and get no further requests
	most    int          // the largest number of such devices before one load
}

// dropResponsive removes devices with which an operation of the load succeeded. Probably the
// machine was slow, so they are tried again before the next load.
func (u *unopened) dropResponsive(c *claims) {
	for device := range u.devices {
		if c.Of(device).Succeeded > 0 {
			delete(u.devices, device)
		}
	}
}

// text says how many of the devices' connections were not opened before the load, in the worst of
// the repetitions. It returns "" if all were.
func (u *unopened) text(devices int) string {
	if u.most == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s devices did not answer within %v before the load, "+
		"so that their connections were opened in it",
		plaintext.Thousands(u.most), plaintext.Thousands(devices), openingEach)
}

// An opening tracks the opening of connections before a load. It is safe for concurrent use.
type opening struct {
	mu       sync.Mutex
	unopened map[int]bool // devices that didn't answer and get no further requests
	done     int          // connections over which the first request has ended
}

// use sends a request to a device, unless an earlier one went unanswered. If this one goes
// unanswered, the device gets no further requests, unless it was ctx that ended the request. first
// says that this is the first request over its connection.
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

// unanswered reports whether the error of a request means that no answer came. Any answer counts,
// even one that rejects the request or names another version.
func unanswered(err error) bool {
	if err == nil || delivery.ClassOf(err) == delivery.ClassIntegrity {
		return false
	}
	if e, ok := errors.AsType[*delivery.Error](err); ok {
		return e.Status == 0
	}
	_, network := errors.AsType[net.Error](err) // for other clients; a context's deadline is a net.Error, too
	return network || errors.Is(err, context.Canceled)
}

// failed reports whether a device went unanswered.
func (o *opening) failed(device int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.unopened[device]
}

// silent returns the devices that went unanswered.
func (o *opening) silent() map[int]bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.unopened)
}

// count returns over how many connections the first request has ended.
func (o *opening) count() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.done
}

// within sends a request, and cancels it if it takes longer than openingEach. The request's context
// has no deadline, because those of the load have none, and a client may behave differently with
// one.
func within(ctx context.Context, request func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer time.AfterFunc(openingEach, cancel).Stop()
	return request(ctx)
}
