package cluster

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetmark/fleetmark/scenarios/cluster/bus"
)

// What a run has in JetStream is removed by its controller. If the controller is gone, each of its
// agents removes it, and if they are gone too, the next controller does.

// removeTimeout is how long removing something may take.
const removeTimeout = 2 * time.Second

// removeRun removes what a run has in JetStream. What can't be removed now, the next controller
// removes.
func removeRun(ctx context.Context, js jetstream.JetStream, run string) {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	_ = bus.CleanUp(ctx, js, runName(run))
}

// removeOrphans removes what controllers that are gone left in JetStream.
func (c *Controller) removeOrphans(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	left, err := bus.Left(ctx, c.js)
	if err != nil {
		return err
	}
	for _, name := range left {
		run := strings.TrimPrefix(name, bus.Prefix)
		_, err := c.conn.RequestWithContext(ctx, runSubject+run+aliveOfRun, nil)
		if !errors.Is(err, nats.ErrNoResponders) {
			continue // its controller answers, or may be there
		}
		removeRun(ctx, c.js, run)
		c.note("removed what run %s left in JetStream, since its controller is gone", run)
	}
	return nil
}
