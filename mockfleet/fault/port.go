package fault

import "time"

// PortState is what a port shows to its clients.
type PortState struct {
	Show           PortShow
	For            time.Duration // then it opens; 0 is for good
	CloseAfterEach time.Duration // after each connection, it closes for so long; 0 is never
}

// PortShow is whether a port takes connections.
type PortShow uint8

// What ports show.
const (
	PortOpen    PortShow = iota
	PortClosed           // refuses
	PortStalled          // connections never complete
)
