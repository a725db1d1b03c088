package mockfleet

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Behavior is how a device answers updates. The zero value answers at once and never fails.
// What a device does with its n-th update is a pure function of (seed, device, n).
type Behavior struct {
	// Latency is the delay between an update's last byte and its answer.
	Latency Distribution `json:"latency" yaml:"latency"`
	// FailFirst is how many updates, from the first that reaches the device, it answers FailStatus
	// and does not apply.
	FailFirst int `json:"fail_first" yaml:"fail_first"`
	// FailStatus is that status, 400 to 599; 0 is 503.
	FailStatus int `json:"fail_status" yaml:"fail_status"`
	// Faults are further ways to misbehave, at most 32. Of those that strike at the same place (the
	// connection, the upload, the answer, …), the first in the list that strikes an attempt is the
	// one that acts.
	Faults []Fault `json:"faults,omitempty" yaml:"faults,omitempty"`
	// Require are header fields without which the device refuses an update with 400; at most 8.
	Require []HeaderField `json:"require,omitempty" yaml:"require,omitempty"`
	// Life is what the device goes through after it took an update.
	Life Life `json:"life,omitzero" yaml:"life,omitzero"`
	// Network is what lies between the device and its clients.
	Network Network `json:"network,omitzero" yaml:"network,omitzero"`
}

// Validate reports every field that is out of bounds, each as a *ConfigError on a line of its own.
func (b Behavior) Validate() error {
	var errs []error
	bad := func(field, value, want string) {
		errs = append(errs, &ConfigError{Field: field, Value: value, Want: want})
	}
	if b.FailFirst < 0 || b.FailFirst > math.MaxInt32 {
		bad("fail_first", strconv.Itoa(b.FailFirst), "0 to "+strconv.Itoa(math.MaxInt32))
	}
	if b.FailStatus != 0 && (b.FailStatus < 400 || b.FailStatus > 599) {
		bad("fail_status", strconv.Itoa(b.FailStatus), "an HTTP status from 400 to 599, or 0 for 503")
	}
	if len(b.Faults) > maxFaults {
		bad("faults", strconv.Itoa(len(b.Faults))+" of them", "at most "+strconv.Itoa(maxFaults))
	}
	errs = append(errs, b.Network.validate()...)
	errs = append(errs, validateRequire(b.Require)...)
	if len(b.Faults) > 0 {
		table := kinds()
		for i, f := range b.Faults {
			errs = append(errs, f.validate(i, table)...)
		}
	}
	return errors.Join(errs...)
}

func (b Behavior) equal(other Behavior) bool {
	return b.Latency == other.Latency && b.FailFirst == other.FailFirst && b.FailStatus == other.FailStatus &&
		slices.Equal(b.Require, other.Require) && b.Life == other.Life && b.Network == other.Network && slices.Equal(b.Faults, other.Faults)
}

func (b Behavior) withDefaults() Behavior {
	b.FailStatus = cmp.Or(b.FailStatus, http.StatusServiceUnavailable)
	b.Faults = slices.Clone(b.Faults) // the caller may go on with his
	b.Require = slices.Clone(b.Require)
	return b
}

// fails tells whether the device fails its attempt-th update, counted from 1.
func (b *Behavior) fails(attempt uint32) bool { return attempt <= uint32(b.FailFirst) }

// delay is how long the device takes to answer its attempt-th update.
func (b *Behavior) delay(seed uint64, device int, attempt uint32) time.Duration {
	if b.Latency == (Distribution{}) {
		return 0
	}
	return b.Latency.Sample(draw(seed, device, attempt, purposeLatency))
}

// Life is what a device goes through after it took an update. The zero value runs an update at once.
type Life struct {
	// Install is how long the device installs: it answers the update 202, shows what it ran before, and
	// answers other updates 409.
	Install Distribution `json:"install,omitzero" yaml:"install,omitzero"`
	// Reboot is how long it then can't be reached.
	Reboot Distribution `json:"reboot,omitzero" yaml:"reboot,omitzero"`
}

// IsZero tells whether l is the zero value, which is left out of JSON and YAML.
func (l Life) IsZero() bool { return l == Life{} }

// passage is what the device goes through after its attempt-th update.
func (l *Life) passage(seed uint64, device int, attempt uint32) passage {
	if l.IsZero() {
		return passage{}
	}
	return passage{
		installing: l.Install.Sample(draw(seed, device, attempt, purposeInstall)),
		gone:       l.Reboot.Sample(draw(seed, device, attempt, purposeReboot)),
	}
}

// Network is what lies between a device and its clients. The zero value adds nothing. Over loopback the
// kernel connects by itself, so that what is slow here is the exchange, not the opening of a connection.
type Network struct {
	// RTT is how much later every answer leaves, beside the latency of an update's.
	RTT Distribution `json:"rtt,omitzero" yaml:"rtt,omitzero"`
	// Bandwidth is how many bytes a second the device reads of a body, through a receive buffer that is
	// made so small that the client feels it; 0 is as they come.
	Bandwidth Amount `json:"bandwidth,omitzero" yaml:"bandwidth,omitzero"`
	// ReceiveBuffer is the size of the socket's buffer in bytes, 1,024 to 16 MiB; 0 is the kernel's own
	// choice. The kernel takes about twice as much before a client that goes on writing has to wait.
	ReceiveBuffer int `json:"receive_buffer,omitempty" yaml:"receive_buffer,omitempty"`
	// MaxConnections is how many connections the device has open at a time, 1 to 65,535; further ones are
	// reset as they are accepted. 0 is no limit. Not in path addressing, where a connection is no device's.
	MaxConnections int `json:"max_connections,omitempty" yaml:"max_connections,omitempty"`
	// MaxRequests is how many requests the device answers on a connection before it closes it; 1 is no
	// keep-alive, 0 is no limit.
	MaxRequests int `json:"max_requests,omitempty" yaml:"max_requests,omitempty"`
	// HTTP10 makes the device answer HTTP/1.0 and close.
	HTTP10 bool `json:"http_1_0,omitempty" yaml:"http_1_0,omitempty"`
}

const (
	leastReceiveBuffer = 1 << 10
	mostReceiveBuffer  = 16 << 20
	mostOpen           = 1<<16 - 1
	mostRequests       = 1 << 30
)

// IsZero tells whether n is the zero value, which is left out of JSON and YAML.
func (n Network) IsZero() bool { return n == Network{} }

func (n Network) validate() (errs []error) {
	within := func(field string, value, low, high int) {
		if value != 0 && (value < low || value > high) {
			errs = append(errs, &ConfigError{Field: "network." + field, Value: strconv.Itoa(value), Want: fmt.Sprintf("%d to %d, or 0 for none", low, high)})
		}
	}
	within("receive_buffer", n.ReceiveBuffer, leastReceiveBuffer, mostReceiveBuffer)
	within("max_connections", n.MaxConnections, 1, mostOpen)
	within("max_requests", n.MaxRequests, 1, mostRequests)
	return errs
}

// rtt is how much later the answer to one attempt leaves.
func (n *Network) rtt(seed uint64, device int, attempt uint32, of purpose) time.Duration {
	if n.RTT == (Distribution{}) {
		return 0
	}
	return n.RTT.Sample(draw(seed, device, attempt, of))
}

// pace is at how many bytes a second one update is read; 0 is as they come.
func (n *Network) pace(seed uint64, device int, attempt uint32) int64 {
	if n.Bandwidth == (Amount{}) {
		return 0
	}
	return max(1, n.Bandwidth.Sample(draw(seed, device, attempt, purposeBandwidth)))
}

// welcome gives a connection that was just opened the character of its device's network.
func (c *conn) welcome(n *Network) {
	if n.ReceiveBuffer > 0 {
		c.shrink(n.ReceiveBuffer)
	}
}

// slow makes the device read an update at a pace, through a receive buffer so small that the client feels it.
func (c *conn) slow(p *push, pace int64) {
	if p.pace == 0 || pace < p.pace {
		p.pace = pace
	}
	c.shrink(smallBuffer)
	if p.pace < 2*tinyBuffer {
		c.shrink(tinyBuffer)
	}
}

// HeaderField is a field that a request must have.
type HeaderField struct {
	Name  string `json:"name" yaml:"name"`
	Value string `json:"value,omitempty" yaml:"value,omitempty"` // "" is any
}

const (
	maxRequired      = 8
	maxRequiredField = 256 // bytes of a name, and of a value
)

func validateRequire(list []HeaderField) (errs []error) {
	if len(list) > maxRequired {
		errs = append(errs, &ConfigError{Field: "require", Value: strconv.Itoa(len(list)) + " of them", Want: "at most " + strconv.Itoa(maxRequired)})
	}
	for i, h := range list {
		if h.Name == "" || len(h.Name) > maxRequiredField || strings.ContainsFunc(h.Name, func(r rune) bool { return !isTokenRune(r) }) {
			errs = append(errs, &ConfigError{Field: fmt.Sprintf("require[%d].name", i), Value: strconv.Quote(h.Name), Want: "a field's name, such as X-Tenant"})
		}
		if len(h.Value) > maxRequiredField || hasControl([]byte(h.Value)) {
			errs = append(errs, &ConfigError{Field: fmt.Sprintf("require[%d].value", i), Value: strconv.Quote(h.Value), Want: fmt.Sprintf("up to %d bytes without control characters", maxRequiredField)})
		}
	}
	return errs
}

// isTokenRune tells whether r may stand in a field's name (RFC 9110 §5.6.2).
func isTokenRune(r rune) bool {
	return r < 0x80 && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r))
}

// lacks tells whether a request has not each field of list, with its value.
func lacks(list []HeaderField, h *fasthttp.RequestHeader) bool {
	for _, want := range list {
		got := h.Peek(want.Name)
		if got == nil || want.Value != "" && string(got) != want.Value {
			return true
		}
	}
	return false
}
