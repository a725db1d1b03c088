// Package client is what a program implements to have Fleetmark drive its own delivery client
// instead of that of package delivery.
//
// A client is a type with the methods of [Client], and a function that makes one, a [New]. The
// program's main passes the function to the commands of Fleetmark:
//
//	func main() { app.Main(app.WithClient("acme", newClient)) }
//
// All of Fleetmark's commands then exist in the program and measure its client. A client that can do
// more than push and verify has the methods of [Deliverer], [Rollouter] or [StatsReporter] too.
package client

import (
	"context"
	"crypto/tls"
	"iter"
	"net"
	"net/http"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/rollout"
)

// The values that a client is called with, and its reports, are those of package delivery.
type (
	Device = delivery.Device
	Update = delivery.Update
	Report = delivery.Report
	Stats  = delivery.Stats
)

// A Client is a delivery client under test. It must be safe for concurrent use. An operation whose
// context ends must end soon after, with an error. A panic ends the program.
//
// Any error means that the operation failed. Failures are counted by class: what a method Class of
// the error returns ([Classifier]), or "timeout" for an error about a deadline, or else "unknown".
type Client interface {
	// Push sends the update to a device, in one request. It returns nil if the device took it.
	Push(ctx context.Context, d Device, u *Update) error
	// Verify asks the device what it runs, in one request. It returns nil if that is the update.
	Verify(ctx context.Context, d Device, u *Update) error
	// Close ends everything that the client has begun, such as connections and goroutines. A client
	// is closed at the end of its repetition. If Close fails, or takes over ten seconds, so does the
	// run.
	Close() error
}

// A Deliverer is a [Client] that pushes and verifies by itself, with as many attempts as it makes.
// For any other client, a delivery is one push, and one verification if the push succeeded.
type Deliverer interface {
	// Deliver updates a device. Its report must count every request that it sent, even if it returns
	// an error, because a device that received more than that contradicts the client.
	Deliver(ctx context.Context, d Device, u *Update) (Report, error)
}

// A Rollouter is a [Client] that updates many devices by itself, as the load model rollout asks for.
// Rollout returns a *rollout.AbortError if too many devices failed.
type Rollouter interface {
	Rollout(context.Context, iter.Seq[Device], *Update, rollout.Options) (rollout.Report, error)
}

// A StatsReporter is a [Client] that counts its requests, connections and bytes. What a run measures
// are the requests and bytes that the devices counted; what the client says stands in a note.
type StatsReporter interface{ Stats() Stats }

// A Classifier is an error that has a class, such as "quota". A run tells at most 100 classes apart.
type Classifier interface {
	error
	Class() string
}

// A Config is what a client is made with. It comes from the client section of a scenario and from
// the fleet. A client may ignore what it has no use for; the run then measures it as it is. A zero
// field, other than Workers and Seed, leaves the choice to the client.
type Config struct {
	Workers int         // the most operations that run at once
	TLS     *tls.Config // the authorities to trust; nil: those of the system
	Header  http.Header // header fields that the devices want

	DialTimeout   time.Duration // for opening a connection
	AnswerTimeout time.Duration // from a request's last byte to the answer's last byte
	TotalTimeout  time.Duration // for one request, from dialing to the answer's last byte
	MaxAttempts   int           // of a delivery, the first included
	MaxIdle       int           // kept-alive connections that no operation uses

	Seed uint64 // for what the client does at random, such as jitter; another in each repetition

	// Dial opens connections. If the client uses it, a run can open a connection for each worker
	// before the load, and tells errors apart whose cause is the driver's machine.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// New makes the client of one repetition. It is called once before a run, to see whether it works,
// and once for each repetition.
type New func(Config) (Client, error)
