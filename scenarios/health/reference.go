package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// The reference benchmark sends and receives as many bytes as a push of 1 KiB and its answer.
const (
	referenceDuration = 30 * time.Millisecond // of one block
	referenceRequest  = 1324                  // bytes: an artifact and its header
	referenceAnswer   = 250                   // bytes
	pairsPerCore      = 4
)

// ReferenceBenchmark measures the machine for [referenceDuration] and returns the nanoseconds per
// round trip of bare sockets that send requests and answers as fast as they can. It uses the
// machine as a run does, with all processors, Go's scheduler and the loopback interface, but none
// of the code under test.
func ReferenceBenchmark(ctx context.Context) (_ float64, err error) {
	pairs, err := openPairs(ctx, pairsPerCore*runtime.GOMAXPROCS(0))
	defer func() {
		for _, p := range pairs {
			err = errors.Join(err, p.close())
		}
		if err != nil {
			err = fmt.Errorf("reference benchmark: %w", err)
		}
	}()
	if err != nil {
		return 0, err
	}
	var workers sync.WaitGroup
	var roundTrips atomic.Int64
	errs := make([]error, 2*len(pairs))
	began := time.Now()
	for i, p := range pairs {
		workers.Go(func() { errs[2*i] = ping(p.near, began.Add(referenceDuration), &roundTrips) })
		workers.Go(func() { errs[2*i+1] = echo(p.far) })
	}
	workers.Wait()
	elapsed := time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	// Each pair makes at least one round trip, however slow the machine is.
	return float64(elapsed) / float64(roundTrips.Load()), nil
}

// A socketPair is the two ends of a connection.
type socketPair struct{ near, far net.Conn }

func (p socketPair) close() error { return errors.Join(p.near.Close(), p.far.Close()) }

func openPairs(ctx context.Context, n int) (pairs []socketPair, err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, listener.Close()) }()
	var dialer net.Dialer
	for range n {
		near, err := dialer.DialContext(ctx, "tcp", listener.Addr().String())
		if err != nil {
			return pairs, err
		}
		far, err := listener.Accept() // doesn't block, since the connection is open
		if err != nil {
			return pairs, errors.Join(err, near.Close())
		}
		pairs = append(pairs, socketPair{near, far})
	}
	return pairs, nil
}

// ping makes round trips until the deadline, and then closes the connection for writing.
func ping(c net.Conn, deadline time.Time, roundTrips *atomic.Int64) error {
	out, in := make([]byte, referenceRequest), make([]byte, referenceAnswer)
	for more := true; more; more = time.Now().Before(deadline) {
		if _, err := c.Write(out); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, in); err != nil {
			return err
		}
		roundTrips.Add(1)
	}
	return c.(*net.TCPConn).CloseWrite() // openPairs made a TCP connection
}

// echo answers requests until the other side closes the connection for writing.
func echo(c net.Conn) error {
	in, out := make([]byte, referenceRequest), make([]byte, referenceAnswer)
	for {
		if _, err := io.ReadFull(c, in); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		if _, err := c.Write(out); err != nil {
			return err
		}
	}
}
