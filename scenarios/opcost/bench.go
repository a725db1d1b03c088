package opcost

import (
	"context"
	"fmt"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// A Variant is one way to do an operation. Each variant is measured separately.
type Variant struct {
	Op        delivery.Op        `json:"op"` // push or verify
	Transport delivery.Transport `json:"transport"`
	// NewConnection makes each operation go to a device that the client has not seen, over a new
	// connection. Otherwise all operations go to one device, over one kept-alive connection.
	NewConnection bool `json:"new"`
}

// String returns a name such as "push over lean, kept-alive connection".
func (v Variant) String() string {
	return fmt.Sprintf("%s over %s, %s connection", v.Op, v.Transport, v.Connection())
}

// Connection returns "kept-alive" or "new".
func (v Variant) Connection() string {
	if v.NewConnection {
		return "new"
	}
	return "kept-alive"
}

// variants returns all variants, in the order in which they are measured and shown.
func variants() (all []Variant) {
	for _, t := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
		for _, fresh := range []bool{false, true} {
			for _, op := range []delivery.Op{delivery.OpPush, delivery.OpVerify} {
				all = append(all, Variant{op, t, fresh})
			}
		}
	}
	return all
}

// A bench does operations, one at a time.
type bench struct {
	update     *delivery.Update
	devices    *target.DeviceList // operations and spareDevices
	operations int
}

const (
	// warmup is the number of operations before the measured ones, which fill the client's buffers
	// and pools. Over new connections they go to the last devices, which no measured operation
	// uses.
	warmup       = 32
	spareDevices = warmup + 1 // one more, since the first device serves the kept-alive connection
)

// newClient returns a client that has done the warm-up. If operations verify, the devices have the
// update already. observe is called for each later request; it may be nil.
func (b *bench) newClient(
	ctx context.Context, v Variant, observe func(delivery.Timeline),
) (*delivery.Client, error) {
	if v.Op == delivery.OpVerify {
		if err := b.preload(ctx, v); err != nil {
			return nil, err
		}
	}
	warm := false
	cfg := delivery.Config{Transport: v.Transport, MaxIdle: 16}
	if observe != nil {
		cfg.Observe = func(l delivery.Timeline) {
			if warm {
				observe(l)
			}
		}
	}
	c, err := delivery.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := b.run(ctx, c, v, b.operations, warmup); err != nil {
		c.Close()
		return nil, err
	}
	warm = true
	return c, nil
}

// device returns the device of operation i.
func (b *bench) device(v Variant, i int) delivery.Device {
	if v.NewConnection {
		return b.devices.At(1 + i)
	}
	return b.devices.At(0)
}

// preload pushes the update to every device that the operations of a variant go to.
func (b *bench) preload(ctx context.Context, v Variant) error {
	c, err := delivery.New(delivery.Config{MaxIdle: 16})
	if err != nil {
		return err
	}
	defer c.Close()
	n := 1
	if v.NewConnection {
		n = b.operations + warmup
	}
	v.Op = delivery.OpPush
	return b.run(ctx, c, v, 0, n)
}

// run does n operations, starting with number first.
func (b *bench) run(ctx context.Context, c *delivery.Client, v Variant, first, n int) error {
	do := c.Push
	if v.Op == delivery.OpVerify {
		do = c.Verify
	}
	for i := range n {
		if err := do(ctx, b.device(v, first+i), b.update); err != nil {
			return err
		}
	}
	return nil
}
