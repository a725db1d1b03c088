package mockfleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	drawn "math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
)

// Fleet is a running fleet of simulated devices.
type Fleet struct {
	cfg        Config
	store      *device.Store
	registry   registry
	traffic    trafficStripes
	workspaces sync.Pool    // of *workspace; as many in use as connections have a request
	sinks      sync.Pool    // of *sink; as many in use as connections have a large body
	now        atomic.Int64 // Unix nanoseconds, which dates updates
	elapsed    atomic.Int64 // nanoseconds since the start, which no change of the wall clock moves
	date       atomic.Pointer[[]byte]
	started    time.Time

	acceptErrors atomic.Uint64
	watch        *watch
	turnstile    *turnstile

	address    netip.AddrPort
	listeners  []net.Listener
	doors      []*door // of the listeners, in port addressing where ports can be shut
	authority  *authority
	securities []security // by group; none without TLS
	kinds      []string   // the names of faults, in the order of their table
	control    *controlServer
	lease      lease
	generation uint32     // to which the resets are added
	changing   sync.Mutex // held while many devices are given another behaviour, and while a group's is looked at

	done     chan struct{}
	running  sync.WaitGroup
	closing  sync.Once
	closeErr error
	release  func() bool // takes the fleet out of its context's hands
}

// Ready is how to reach a fleet. As JSON it is the line that `fleetmark fleet` prints first, token
// included; printed otherwise it keeps the token to itself.
type Ready struct {
	Address string `json:"address"` // from which DeviceAddress derives the devices'
	Control string `json:"control"`
	Token   string `json:"token"`
	CA      string `json:"ca,omitempty"` // in PEM, whom to trust for the devices' certificates; empty without TLS
}

// Format prints r without its token, whatever the verb.
func (r Ready) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "devices at %s, control at %s", r.Address, r.Control) // fmt.State has no use for the error
}

// Format prints where the fleet is, whatever the verb, and so keeps its token to itself.
func (f *Fleet) Format(s fmt.State, verb rune) { f.Ready().Format(s, verb) }

// tick is the grain of the fleet's clock, which dates answers and updates and expires connections.
const tick = 500 * time.Millisecond

// Start validates cfg, listens, and returns when devices and control port can be reached. The fleet
// runs until Close or until ctx ends. What is wrong with cfg, a listener that can't be had included,
// comes as a *ConfigError.
func Start(ctx context.Context, cfg Config) (*Fleet, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("mockfleet: start: %w", err)
	}
	cfg = cfg.withDefaults()
	if err := checkDescriptors(cfg); err != nil {
		return nil, err
	}
	if cfg.Token == "" {
		var token [32]byte
		if _, err := rand.Read(token[:]); err != nil {
			return nil, fmt.Errorf("mockfleet: token: %w", err)
		}
		cfg.Token = Secret(hex.EncodeToString(token[:]))
	}
	f := newFleet(cfg)
	var err error
	if err := f.secure(); err != nil {
		return nil, err
	}
	if f.listeners, f.address, err = listenDevices(ctx, cfg); err != nil {
		return nil, err
	}
	if f.control, err = startControl(ctx, f); err != nil {
		closeListeners(f.listeners)
		return nil, err
	}
	if f.registry.lot, err = newLot(); err != nil {
		closeListeners(f.listeners)
		return nil, errors.Join(fmt.Errorf("mockfleet: waiting for idle connections: %w", err), f.control.close())
	}
	if f.registry.lot != nil {
		f.running.Go(f.attendParked)
	}
	f.watch.reset(acceptOverflows(), 0, 0)
	f.running.Go(f.keepHouse)
	f.running.Go(func() { f.store.RunTimers(f.done, func(i int) { f.setDoors(i, i+1) }) })
	f.running.Go(f.watchItself)
	if cfg.Addressing == address.Port && canShut {
		f.store.GatePorts()
		for _, l := range f.listeners {
			f.doors = append(f.doors, newDoor(l))
		}
	}
	for i, l := range f.listeners {
		f.running.Go(func() { f.accept(l, i) })
	}
	f.setDoors(0, len(f.doors))
	f.release = context.AfterFunc(ctx, func() { _ = f.shut() }) // Close hands on the error
	return f, nil
}

// newFleet makes a fleet that doesn't listen yet.
func newFleet(cfg Config) *Fleet {
	f := &Fleet{cfg: cfg, started: time.Now(), done: make(chan struct{}), kinds: fault.Names(), watch: newWatch(), turnstile: newTurnstile(cfg.Capacity)}
	f.lease.now = time.Now
	f.generation = drawn.Uint32() // not of the seed: two fleets of one seed aren't one
	f.workspaces.New = func() any { return newWorkspace() }
	f.sinks.New = func() any { return newSink() }
	f.registry.limit = connectionLimit(cfg)
	f.setClock(f.started)
	f.store = device.New(device.Config{
		Devices: cfg.Devices, Seed: cfg.Seed, InitialVersion: cfg.InitialVersion, Behavior: cfg.Behavior, Groups: cfg.Groups, Queued: cfg.Capacity > 0,
	}, &f.now)
	return f
}

// Ready tells how to reach the fleet.
func (f *Fleet) Ready() Ready {
	r := Ready{Address: f.scheme() + "://" + f.address.String(), Control: f.control.url(), Token: string(f.cfg.Token)}
	if f.authority != nil {
		r.CA = string(f.authority.pem)
	}
	return r
}

func (f *Fleet) scheme() string {
	if f.authority != nil {
		return "https"
	}
	return "http"
}

// Devices is how many devices the fleet has: their indices are 0 to Devices-1.
func (f *Fleet) Devices() int { return f.store.Len() }

// DeviceAddress is the address of device i, an index of the fleet; "" for any other.
func (f *Fleet) DeviceAddress(i int) string {
	if f.checkDevice(i) != nil {
		return ""
	}
	at, err := address.NewBase(f.scheme(), f.address, f.cfg.Addressing).Append(nil, i)
	if err != nil {
		return ""
	}
	return string(at)
}

// SetFaults gives device i a behaviour of its own and counts its attempts anew. It outlives Reset.
func (f *Fleet) SetFaults(i int, b behavior.Behavior) error {
	if err := f.checkDevice(i); err != nil {
		return err
	}
	if err := f.checkBehavior(b); err != nil {
		return err
	}
	f.changing.Lock()
	defer f.changing.Unlock()
	if err := f.store.SetBehavior(i, b); err != nil {
		return err
	}
	f.setDoors(i, i+1)
	return nil
}

// Reset puts every device back to its initial version and empties the ledger, the attempts included.
// Behaviours set for single devices stay. An update under way is answered 503 and not applied.
func (f *Fleet) Reset() {
	f.store.Reset()
	_, _, _, noRoom := f.registry.counts()
	f.watch.reset(acceptOverflows(), f.acceptErrors.Load(), noRoom)
	f.setDoors(0, len(f.doors))
}

// checkBehavior tells whether devices of the fleet can behave so.
func (f *Fleet) checkBehavior(b behavior.Behavior) error {
	if err := b.Validate(); err != nil {
		return err
	}
	return checkReach(b, f.cfg.Addressing)
}

func (f *Fleet) checkDevice(i int) error {
	if i < 0 || i >= f.Devices() {
		return fmt.Errorf("mockfleet: device %d: the fleet has devices 0 to %d", i, f.Devices()-1)
	}
	return nil
}

// Close stops listening, closes every connection, and returns when all of the fleet's goroutines have
// ended. Called again, it returns what it returned first.
func (f *Fleet) Close() error {
	f.release()
	return f.shut()
}

func (f *Fleet) shut() error {
	f.closing.Do(func() {
		close(f.done)
		var errs []error
		for _, l := range f.listeners {
			errs = append(errs, l.Close())
		}
		f.registry.closeAll()
		if f.registry.lot != nil {
			errs = append(errs, f.registry.lot.close())
		}
		errs = append(errs, f.control.close())
		f.running.Wait()
		f.closeErr = errors.Join(errs...)
	})
	return f.closeErr
}

// keepHouse moves the fleet's clock and expires connections.
func (f *Fleet) keepHouse() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case now := <-ticker.C:
			f.setClock(now)
			f.registry.expire(f.elapsed.Load())
			used, _ := processorTime()
			f.watch.spent(now, used)
		case <-f.done:
			return
		}
	}
}

func (f *Fleet) setClock(now time.Time) {
	f.now.Store(now.UnixNano())
	f.elapsed.Store(int64(now.Sub(f.started)))
	line := appendDateLine(nil, now)
	f.date.Store(&line)
}

func (f *Fleet) dateLine() []byte { return *f.date.Load() }
