// Package load drives a delivery client: with workers that wait for each answer, at a planned rate,
// or by the client's own rollout.
//
// Its input is an [Env]: the client, the operation, the devices, and a [Recording] to count in. An
// [Executor] begins the operations. A [ClosedLoop] has workers that each begin an operation when
// their last one has ended. An [ArrivalRate] begins operations at the times that a [Pacer] plans,
// whether or not earlier ones have ended: a dispatcher hands out each operation when it is due, and
// the worker that has been free the longest does it. A [Rollout] leaves the order to the client.
// The output is a [Result] and, in the Recording, the times of operations ([Latencies]), how well
// the plan was kept ([Lateness]), and what happened to each device ([Outcomes], [Failures]).
//
// An operation has three times, counted from the load's start: when it was planned, when it was
// sent, and when it was done. Its response time counts from when it was planned, so that it
// includes the wait for a free worker (no coordinated omission). Its service time counts from when
// it was sent. In a closed loop and in a rollout nothing is planned, and the two times are the
// same.
//
// The package doesn't know scenarios, fleets or files, or what a good result is.
package load

import (
	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/scenarios/client"
)

// A Client is the delivery client under test.
type Client = client.Full

// A Rollouter is a [Client] that can update many devices by itself.
type Rollouter = client.Rollouter

// A StatsReporter is a [Client] that counts its requests, connections and bytes.
type StatsReporter = client.StatsReporter

// Devices is a list of the devices that a load is for. A [Recording] identifies a device by its
// index.
type Devices interface {
	Len() int
	At(i int) delivery.Device
}
