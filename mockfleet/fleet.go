package mockfleet

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	drawn "math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/internal/device"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
)

// Fleet is a running fleet of simulated devices.
type Fleet struct {
	cfg        Config
	server     *server.Server
	store      *device.Store
	control    *controlServer
	lease      lease
	generation uint32     // Status.Generation at the start; each reset adds one
	bulk       sync.Mutex // held while behaviors change, and while those of groups are read

	closing  sync.Once
	closeErr error
	release  func() bool // keeps the end of the context from closing the fleet
}

// Ready says how to reach a fleet. Its JSON form, token included, is the first line that `fleetmark
// fleet` prints. Printed with package fmt, it doesn't show the token.
type Ready struct {
	Address string `json:"address"` // from which DeviceAddress derives those of the devices
	Control string `json:"control"`
	Token   string `json:"token"`
	CA      string `json:"ca,omitempty"` // the CA of the devices' certificates, in PEM; empty without TLS

	// Network is the Config.Network that devices have addresses of; left out if it is zero.
	Network netip.Prefix `json:"network,omitzero"`
}

// Format prints r without its token, whatever the verb.
func (r Ready) Format(s fmt.State, _ rune) {
	_, _ = fmt.Fprintf(s, "devices at %s, control at %s", r.Address, r.Control) // fmt.State has no use for the error
}

// Format prints the addresses of the fleet, whatever the verb, so that its token is never shown.
func (f *Fleet) Format(s fmt.State, verb rune) { f.Ready().Format(s, verb) }

// Start validates cfg, listens, and returns when devices and control port can be reached. The fleet
// runs until Close or until ctx ends. If cfg can't be used, or the system refuses a listener, the
// error is a *ConfigError.
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
	if err := f.server.Listen(ctx); err != nil {
		return nil, err
	}
	if f.control, err = startControl(ctx, f); err != nil {
		return nil, errors.Join(err, f.server.Close())
	}
	if err := f.server.Serve(); err != nil {
		return nil, errors.Join(err, f.server.Close(), f.control.close())
	}
	f.release = context.AfterFunc(ctx, func() { _ = f.shut() }) // Close returns the error
	return f, nil
}

// newFleet makes a fleet that doesn't listen yet.
func newFleet(cfg Config) *Fleet {
	f := &Fleet{cfg: cfg}
	f.lease.now = time.Now
	f.generation = drawn.Uint32() // not from the seed, so that two fleets of one seed differ
	f.server = server.New(server.Config{
		Listen: cfg.Listen, Addressing: cfg.Addressing, Network: cfg.Network, TLS: cfg.TLS,
		Capacity: cfg.Capacity, MaxConnections: connectionLimit(cfg),
		Devices: device.Config{
			Devices: cfg.Devices, Shard: cfg.Shard, Seed: cfg.Seed, InitialVersion: cfg.InitialVersion,
			Behavior: cfg.Behavior, Groups: cfg.Groups, Queued: cfg.Capacity > 0,
		},
	})
	f.store = f.server.Store()
	return f
}

// Ready returns how to reach the fleet.
func (f *Fleet) Ready() Ready {
	r := Ready{Address: f.server.URL(), Control: f.control.url(), Token: string(f.cfg.Token)}
	r.CA, r.Network = f.server.CA(), f.cfg.Network
	return r
}

// Devices returns how many devices the fleet has. Their indices are 0 to Devices-1.
func (f *Fleet) Devices() int { return f.store.Len() }

// DeviceAddress returns the address of device i, or "" if the fleet has no such device.
func (f *Fleet) DeviceAddress(i int) string {
	if f.checkDevice(i) != nil {
		return ""
	}
	return f.server.DeviceAddress(i)
}

// SetFaults gives device i a behavior of its own, which Reset doesn't undo, and counts its attempts
// anew. It returns an error if the fleet has no such device, b can't be used (a *ConfigError), or
// the fleet has no room for one more behavior.
func (f *Fleet) SetFaults(i int, b behavior.Behavior) error {
	if err := f.checkDevice(i); err != nil {
		return err
	}
	if err := f.checkBehavior(b); err != nil {
		return err
	}
	f.bulk.Lock()
	defer f.bulk.Unlock()
	if err := f.store.SetBehavior(i, b); err != nil {
		return err
	}
	f.server.UpdatePorts(i, i+1)
	return nil
}

// Reset puts every device back to its initial version, empties the ledger, and counts attempts
// anew. Behaviors stay as they are. An update under way is answered 503 and not applied.
func (f *Fleet) Reset() {
	f.store.Reset()
	f.server.Reset()
}

// checkBehavior returns an error if b is invalid, or if devices can't have it in the fleet's
// addressing.
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

// Close stops listening, closes every connection, and returns when all of the fleet's goroutines
// have ended. Later calls return the same error.
func (f *Fleet) Close() error {
	f.release()
	return f.shut()
}

func (f *Fleet) shut() error {
	f.closing.Do(func() { f.closeErr = errors.Join(f.server.Close(), f.control.close()) })
	return f.closeErr
}
