package fault

import "time"

// PortState is how a port treats its clients, and for how long.
type PortState struct {
	Show           PortShow
	For            time.Duration // how long until the port opens; 0 is for good
	CloseAfterEach time.Duration // how long the port closes after each connection; 0 is not at all
}

// PortShow says whether a port accepts connections.
type PortShow uint8

// The states of a port.
const (
	PortOpen    PortShow = iota
	PortClosed           // refuses connections
	PortStalled          // connections never complete
)
