package runner

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// neverCloses is a client whose Close returns only when it is released.
type neverCloses struct {
	load.Client
	release, done chan struct{}
}

func (c neverCloses) Close() error {
	defer close(c.done)
	<-c.release
	return nil
}

// TestClientFactory_closeHangs checks that a client whose Close doesn't return is refused before a
// run, in a line.
func TestClientFactory_closeHangs(t *testing.T) {
	c := neverCloses{release: make(chan struct{}), done: make(chan struct{})}
	f := clientFactory{
		closeTimeout: time.Millisecond,
		newClient:    func(context.Context, delivery.Config) (load.Client, error) { return c, nil },
	}
	_, err := f.tryClient(t.Context(), scenarios.Once)
	require.EqualError(t, err, "Client: it can't be closed: "+
		"its Close has not returned within 1ms: want it to end what the client has begun")
	var refused *scenarios.OptionError
	require.ErrorAs(t, err, &refused)
	close(c.release)
	<-c.done
}
