package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/results"
)

// standing is how the fleet and the machine stand at a moment.
type standing struct {
	fleet   mockfleet.Status
	machine *machineTime // nil where that can't be told
}

// stand asks the fleet, where it can be asked, and looks at the machine.
func (r *runner) stand(ctx context.Context) (s standing, err error) {
	if w := r.fleet.witness(); w != nil {
		if s.fleet, err = w.Status(ctx); err != nil {
			return s, fmt.Errorf("asking the fleet: %w", err)
		}
	}
	own, ours := osinfo.ProcessorTime(), []int{os.Getpid()}
	switch r.fleet.kind() {
	case FleetInProcess:
	case FleetProcess:
		own += seconds(s.fleet.CPUSeconds)
		ours = append(ours, r.fleet.pid())
	default:
		return s, nil // on this machine or not: its share can't be told from that of others
	}
	s.machine = readMachineTime(ctx, own, ours)
	return s, nil
}

// machineTime is what all cores have done since the machine's start, by two accounts, and what this
// run's own processes had of it. The difference of two says what others had.
type machineTime struct {
	wall   time.Time
	own    time.Duration // the driver and its fleet
	all    time.Duration // the machine in user and system mode, interrupts left out
	others time.Duration // by the list of processes; 0 where there is none
	stolen time.Duration // taken by the hypervisor
}

// readMachineTime returns nil if the system doesn't tell the times.
func readMachineTime(ctx context.Context, own time.Duration, ours []int) *machineTime {
	total, ok := osinfo.ReadMachineTime(ctx)
	if !ok || own == 0 {
		return nil
	}
	others, _ := osinfo.OtherProcesses(ours...)
	return &machineTime{
		wall: time.Now(), own: own, others: others,
		all: total.Busy, stolen: total.Stolen,
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// interference adds up what else the machine did during the timed repetitions.
type interference struct{ wall, unaccounted, others, stolen time.Duration }

// add takes one repetition, and gives the shares of all so far; nil where that can't be told.
//
// What others used has two lower bounds, and the higher one holds. The machine's total less our own
// sees every container's processes, but a process's own account may hold interrupts that it was
// charged with, and the total's doesn't: then it is too low by a tenth and more under a load on the
// network. The list of processes has no such gap, but may not show all of them.
func (i *interference) add(before, after *machineTime) *results.Interference {
	if before == nil || after == nil {
		return nil
	}
	i.wall += after.wall.Sub(before.wall)
	i.unaccounted += (after.all - before.all) - (after.own - before.own)
	i.others += after.others - before.others
	i.stolen += after.stolen - before.stolen
	return &results.Interference{
		OthersFraction: min(1, max(0, fraction(max(i.unaccounted, i.others), i.wall))),
		StolenFraction: min(1, max(0, fraction(i.stolen, i.wall))),
	}
}

// Neighbours is what others have of the machine for a while in which this process does
// nothing; nil where that can't be told. A context that ends is its error.
func Neighbours(ctx context.Context, during time.Duration) (*results.Interference, error) {
	look := func() *machineTime { return readMachineTime(ctx, osinfo.ProcessorTime(), []int{os.Getpid()}) }
	before := look()
	timer := time.NewTimer(during)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return new(interference).add(before, look()), nil
}

// The yardstick: pairs of bare sockets pass as many bytes to and fro as a push of 1 KiB and its
// answer, as fast as they can, for a block of time. It uses the machine as a run does (all
// processors, the scheduler, the loopback interface) and nothing of the code under test.
const (
	YardstickBlock   = 30 * time.Millisecond // how long one block takes
	yardstickRequest = 1324                  // bytes: an artifact and its header
	yardstickAnswer  = 250
	pairsPerCore     = 4
)

// socketPair is the two ends of a connection.
type socketPair struct{ near, far net.Conn }

func (p socketPair) close() error { return errors.Join(p.near.Close(), p.far.Close()) }

// Yardstick measures one block, in nanoseconds a round trip.
func Yardstick(ctx context.Context) (_ float64, err error) {
	pairs, err := openPairs(ctx, pairsPerCore*runtime.GOMAXPROCS(0))
	defer func() {
		for _, p := range pairs {
			err = errors.Join(err, p.close())
		}
		if err != nil {
			err = fmt.Errorf("yardstick: %w", err)
		}
	}()
	if err != nil {
		return 0, err
	}
	var workers sync.WaitGroup
	var trips atomic.Int64
	errs := make([]error, 2*len(pairs))
	began := time.Now()
	for i, p := range pairs {
		workers.Go(func() { errs[2*i] = ping(p.near, began.Add(YardstickBlock), &trips) })
		workers.Go(func() { errs[2*i+1] = echo(p.far) })
	}
	workers.Wait()
	elapsed := time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return 0, err
	}
	// Each pair makes one trip at least, however slow the machine.
	return float64(elapsed) / float64(trips.Load()), nil
}

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
		far, err := listener.Accept() // it is there already
		if err != nil {
			return pairs, errors.Join(err, near.Close())
		}
		pairs = append(pairs, socketPair{near, far})
	}
	return pairs, nil
}

// ping makes round trips until the deadline, and says that there will be no more.
func ping(c net.Conn, deadline time.Time, trips *atomic.Int64) error {
	out, in := make([]byte, yardstickRequest), make([]byte, yardstickAnswer)
	for more := true; more; more = time.Now().Before(deadline) {
		if _, err := c.Write(out); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, in); err != nil {
			return err
		}
		trips.Add(1)
	}
	return c.(*net.TCPConn).CloseWrite() // a TCP connection, as openPairs made it
}

// echo answers until the other side has no more.
func echo(c net.Conn) error {
	in, out := make([]byte, yardstickRequest), make([]byte, yardstickAnswer)
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
