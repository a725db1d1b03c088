// Package bus carries messages between the machines of a run over NATS with JetStream.
//
// A controller calls [Serve] to start a server in its own process, or uses a NATS cluster that is
// there. Controller and agents call [Connect], which returns a connection that reconnects for ever.
// [MakeKeys] makes the certificates and keys with which they recognize each other. [RunStream],
// [Consumer] and [Objects] make what a run needs in JetStream, and [CleanUp] removes it.
//
// The package knows nothing of scenarios, and nothing of the messages. Of the subjects it knows
// only which role may use them; that table is in roles.go.
package bus

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// DefaultAddress is where a server listens that is told nothing else.
const DefaultAddress = "127.0.0.1:4242"

// MaxPayload is the size of the largest message in bytes. Larger things go into the object store.
const MaxPayload = 1 << 20

// A Role says what a connection may do, and which of the files of [MakeKeys] a machine needs.
type Role string

const (
	Controller Role = "controller" // plans, starts and merges a run
	Agent      Role = "agent"      // has a shard of the devices and of the operations
	NATS       Role = "nats"       // a nats-server of the user's own; it never connects
)

// check returns an error if no connection has the role.
func (r Role) check() error {
	if r != Controller && r != Agent {
		return fmt.Errorf("role %q: want %s or %s", string(r), Controller, Agent)
	}
	return nil
}

// isLoopback reports whether a host, as in an address, can be reached from this machine alone. An
// empty host stands for all addresses of the machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// splitAddress takes an address apart and checks its port, a number up to 65535.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: want HOST:PORT such as %s", address, DefaultAddress)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: port %q: want a number from 0 to 65535", address, text)
	}
	return host, int(n), nil
}
