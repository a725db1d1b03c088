// Package load drives a delivery client: with workers that wait for each answer, at a planned rate,
// or by the client's own rollout.
//
// What goes in is an [Env]: the client, the operation, the devices, and a [Recording] to count in.
// An [Executor] begins the operations. A [ClosedLoop] has workers that each begin an operation when
// their last one has ended. An [ArrivalRate] begins operations at the times that a [Pacer] plans,
// whether or not the ones before have ended: a dispatcher hands each out when it is due, and the
// worker that has been free the longest does it. A [Rollout] leaves the order to the client. What
// comes out is a [Result], and in the Recording the times of operations ([Latencies]), how well the
// plan was kept ([Lateness]), and what became of each device ([Outcomes], [Failures]).
//
// An operation has three times, counted from the load's start: when it was planned, sent and done.
// Its response time counts from when it was planned, so that the wait for a free worker is part of
// it (no coordinated omission). Its service time counts from when it was sent. In a closed loop and
// in a rollout nothing is planned, and the two are the same.
//
// The package must never know scenarios, fleets or files, nor what a good result is.
package load

import (
	"context"
	"iter"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
)

// A Client is the delivery client under test. Any number of goroutines use it at once.
type Client interface {
	// Push brings a device the update.
	Push(ctx context.Context, d delivery.Device, u *delivery.Update) error
	// Verify returns nil if the device runs the update.
	Verify(ctx context.Context, d delivery.Device, u *delivery.Update) error
	// Deliver pushes the update and verifies it, with as many attempts as the client makes. Its
	// report counts every request that it sent, also if it returns an error.
	Deliver(ctx context.Context, d delivery.Device, u *delivery.Update) (delivery.Report, error)
	// Close ends the client's connections.
	Close() error
}

// A NewClient makes the client of one repetition. It ignores the parts of cfg that it has no use
// for. If the client opens its connections by cfg.Dial, a run can open one for each worker before
// the load, and count the dial errors that are due to the driver's machine.
type NewClient func(cfg delivery.Config) (Client, error)

// A StatsReporter is a [Client] that counts its requests, connections and bytes. A run leaves these
// figures out for any other client.
type StatsReporter interface{ Stats() delivery.Stats }

// A Rollouter is a [Client] that can update many devices by itself. Its error is a
// *[rollout.AbortError] if too many devices failed.
type Rollouter interface {
	Rollout(
		context.Context, iter.Seq[delivery.Device], *delivery.Update, rollout.Options,
	) (rollout.Report, error)
}

// Devices lists the devices that a load is for. A [Recording] knows a device by its index.
type Devices interface {
	Len() int
	At(i int) delivery.Device
}
