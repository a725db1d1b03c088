package behavior

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Network is the simulated network between a device and its clients. The zero value adds nothing.
// Over loopback the kernel opens connections without the fleet, so RTT delays answers but not the
// opening of a connection.
type Network struct {
	// RTT is added to the delay of every answer. The answer to an update also waits for the
	// latency.
	RTT random.Duration `json:"rtt,omitzero" yaml:"rtt,omitzero"`
	// Bandwidth is how many bytes of a body the device reads a second; 0 is no limit. With a limit,
	// the socket gets a small receive buffer, because the kernel would otherwise take megabytes at
	// full speed.
	Bandwidth random.Int `json:"bandwidth,omitzero" yaml:"bandwidth,omitzero"`
	// ReceiveBuffer is the size of the socket's receive buffer in bytes, 1,024 to 16 MiB; 0 leaves
	// it to the kernel. The kernel holds about twice as many bytes before the client's writes
	// block.
	ReceiveBuffer int `json:"receive_buffer,omitempty" yaml:"receive_buffer,omitempty"`
	// MaxConnections is how many connections the device may have open at a time, 1 to 65,535.
	// Further ones are reset as soon as they are accepted. 0 is no limit. It can't be set in path
	// addressing, where a connection doesn't belong to one device.
	MaxConnections int `json:"max_connections,omitempty" yaml:"max_connections,omitempty"`
	// MaxRequests is how many requests the device answers on a connection before it closes the
	// connection; 1 means no keep-alive, 0 no limit.
	MaxRequests int `json:"max_requests,omitempty" yaml:"max_requests,omitempty"`
	// HTTP10 makes the device answer in HTTP/1.0 and close the connection after each answer.
	HTTP10 bool `json:"http_1_0,omitempty" yaml:"http_1_0,omitempty"`
}

const (
	minReceiveBuffer = 1 << 10
	maxReceiveBuffer = 16 << 20
	maxOpenConns     = 1<<16 - 1
	maxRequests      = 1 << 30
)

// IsZero reports whether n is the zero value, which is left out of JSON and YAML.
func (n Network) IsZero() bool { return n == Network{} }

func (n Network) validate() (errs []error) {
	within := func(name string, value, low, high int) {
		if value != 0 && (value < low || value > high) {
			errs = append(errs, &field.Error{
				Field: "network." + name, Value: strconv.Itoa(value), Want: fmt.Sprintf("%d to %d, or 0 for none", low, high),
			})
		}
	}
	within("receive_buffer", n.ReceiveBuffer, minReceiveBuffer, maxReceiveBuffer)
	within("max_connections", n.MaxConnections, 1, maxOpenConns)
	within("max_requests", n.MaxRequests, 1, maxRequests)
	return errs
}

// ExtraDelay draws from RTT how much later the answer to one attempt leaves. The stream separates
// answers to updates from answers to version requests.
func (n *Network) ExtraDelay(seed uint64, device int, attempt uint32, of random.Stream) time.Duration {
	if n.RTT == (random.Duration{}) {
		return 0
	}
	return n.RTT.Sample(random.Draw(seed, device, attempt, of))
}

// BytesPerSecond draws from Bandwidth how many bytes of one update are read a second. It returns 0
// if there is no limit.
func (n *Network) BytesPerSecond(seed uint64, device int, attempt uint32) int64 {
	if n.Bandwidth == (random.Int{}) {
		return 0
	}
	return max(1, n.Bandwidth.Sample(random.Draw(seed, device, attempt, random.StreamBandwidth)))
}
