package anatomy

import (
	"context"
	"fmt"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A Kind is one row of what is measured.
type Kind struct {
	Op        delivery.Op        `json:"op"` // push or verify
	Transport delivery.Transport `json:"transport"`
	// New: each operation is to a device that the client has not seen, and over a new
	// connection. Otherwise all are to one device over one kept-alive connection.
	New bool `json:"new"`
}

// String is such as "push over lean, kept-alive connection".
func (k Kind) String() string {
	return fmt.Sprintf("%s over %s, %s connection", k.Op, k.Transport, k.Connection())
}

// Connection is "kept-alive" or "new".
func (k Kind) Connection() string {
	if k.New {
		return "new"
	}
	return "kept-alive"
}

func kinds() (all []Kind) {
	for _, t := range []delivery.Transport{delivery.Lean, delivery.NetHTTP} {
		for _, fresh := range []bool{false, true} {
			for _, op := range []delivery.Op{delivery.OpPush, delivery.OpVerify} {
				all = append(all, Kind{op, t, fresh})
			}
		}
	}
	return all
}

// bench does operations, one at a time.
type bench struct {
	update     *delivery.Update
	devices    *scenarios.DeviceList
	operations int
}

// The fleet's last devices are for what is not looked at.
const (
	// warmup is how many operations go before, to devices of their own: enough for every
	// buffer and pool to be there.
	warmup       = 32
	devicesSpare = warmup + 1
)

// client is ready for the kind: what an operation needs is there, and where a question
// will be asked the devices have the answer.
func (b *bench) client(ctx context.Context, k Kind, observe func(delivery.Timeline)) (*delivery.Client, error) {
	if k.Op == delivery.OpVerify {
		if err := b.updateAll(ctx, k); err != nil {
			return nil, err
		}
	}
	warm := true
	cfg := delivery.Config{Transport: k.Transport, MaxIdle: 16}
	if observe != nil {
		cfg.Observe = func(l delivery.Timeline) {
			if !warm {
				observe(l)
			}
		}
	}
	c, err := delivery.New(cfg)
	if err != nil {
		return nil, err
	}
	for i := range warmup {
		d := b.devices.At(0)
		if k.New {
			d = b.devices.At(b.operations + 1 + i)
		}
		if err := b.operate(ctx, c, k, d); err != nil {
			c.Close()
			return nil, err
		}
	}
	warm = false
	return c, nil
}

// updateAll brings the update to every device that a kind will ask.
func (b *bench) updateAll(ctx context.Context, k Kind) error {
	c, err := delivery.New(delivery.Config{MaxIdle: 16})
	if err != nil {
		return err
	}
	defer c.Close()
	n := 1
	if k.New {
		n = b.devices.Len()
	}
	for i := range n {
		if err := c.Push(ctx, b.devices.At(i), b.update); err != nil {
			return err
		}
	}
	return nil
}

// run does the operations that count.
func (b *bench) run(ctx context.Context, c *delivery.Client, k Kind) error {
	for i := range b.operations {
		d := b.devices.At(0)
		if k.New {
			d = b.devices.At(1 + i)
		}
		if err := b.operate(ctx, c, k, d); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) operate(ctx context.Context, c *delivery.Client, k Kind, d delivery.Device) error {
	if k.Op == delivery.OpVerify {
		return c.Verify(ctx, d, b.update)
	}
	return c.Push(ctx, d, b.update)
}
