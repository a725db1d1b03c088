package behavior

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// Network is what lies between a device and its clients. The zero value adds nothing. Over loopback
// the kernel connects by itself, so that what is slow here is the exchange, not the opening of a
// connection.
type Network struct {
	// RTT is how much later every answer leaves. An update's answer waits for the latency as well.
	RTT random.Duration `json:"rtt,omitzero" yaml:"rtt,omitzero"`
	// Bandwidth is how many bytes a second the device reads of a body, through a receive buffer that is
	// made so small that the client feels it; 0 is as they come.
	Bandwidth random.Int `json:"bandwidth,omitzero" yaml:"bandwidth,omitzero"`
	// ReceiveBuffer is the size of the socket's buffer in bytes, 1,024 to 16 MiB; 0 is the kernel's own
	// choice. The kernel takes about twice as much before a client that goes on writing has to wait.
	ReceiveBuffer int `json:"receive_buffer,omitempty" yaml:"receive_buffer,omitempty"`
	// MaxConnections is how many connections the device has open at a time, 1 to 65,535; further
	// ones are reset as they are accepted. 0 is no limit. Not in path addressing, where a
	// connection is no device's.
	MaxConnections int `json:"max_connections,omitempty" yaml:"max_connections,omitempty"`
	// MaxRequests is how many requests the device answers on a connection before it closes it; 1 is no
	// keep-alive, 0 is no limit.
	MaxRequests int `json:"max_requests,omitempty" yaml:"max_requests,omitempty"`
	// HTTP10 makes the device answer HTTP/1.0 and close.
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

// ExtraDelay returns how much later the answer to one attempt leaves.
func (n *Network) ExtraDelay(seed uint64, device int, attempt uint32, of random.Stream) time.Duration {
	if n.RTT == (random.Duration{}) {
		return 0
	}
	return n.RTT.Sample(random.Draw(seed, device, attempt, of))
}

// BytesPerSecond returns at how many bytes a second one update is read. 0 is as they come.
func (n *Network) BytesPerSecond(seed uint64, device int, attempt uint32) int64 {
	if n.Bandwidth == (random.Int{}) {
		return 0
	}
	return max(1, n.Bandwidth.Sample(random.Draw(seed, device, attempt, random.StreamBandwidth)))
}
