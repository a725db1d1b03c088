// Package address derives the addresses and the identities of a fleet's devices. A device is known
// by its index, from 0. Depending on the fleet's [Mode], it has an IP address, a port or a path of
// its own, which [Base] derives from the index, the address of the fleet and the network that its
// devices are in. So a driver in another process, or on another machine, can reach every device
// without asking the fleet for its address.
package address

import (
	"runtime"
	"strconv"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// Mode selects how the devices of a fleet are addressed.
type Mode string

// The addressing modes. In each of them, DeviceAddress derives the addresses of devices 0 to
// Devices-1 from the address of the fleet.
const (
	IP   Mode = "ip"   // an IP address each, 127.1.0.0 and up or those of a network, all on one port; Linux only
	Port Mode = "port" // a port each, in one contiguous block
	Path Mode = "path" // a path each, /d/INDEX, all on one port
)

const (
	capacityPort   = 5000
	deviceIDPrefix = "device-"
	deviceIDDigits = 8

	// PathPrefix is what the path of each device begins with in path addressing; the index follows.
	PathPrefix = "/d/"

	// DeviceIDLen is the length of every DeviceID, in bytes.
	DeviceIDLen = len(deviceIDPrefix) + deviceIDDigits
)

// DefaultMode returns IP on Linux and Path elsewhere.
func DefaultMode() Mode {
	if runtime.GOOS == "linux" {
		return IP
	}
	return Path
}

// ParseMode reads "ip", "port" or "path". The error is a *mockfleet.ConfigError.
func ParseMode(s string) (Mode, error) {
	switch a := Mode(s); a {
	case IP, Port, Path:
		return a, nil
	}
	return "", &field.Error{Field: "addressing", Value: strconv.Quote(s), Want: "ip, port or path"}
}

// Capacity returns how many devices a fleet can address in mode a: 16,711,679 for IP (127.1.0.0 up
// to but excluding the broadcast address 127.255.255.255) and for Path, 5,000 for Port, and 0 for
// an unknown mode. With a network of its own, a fleet has as many as NetworkCapacity says for IP.
func (a Mode) Capacity() int {
	switch a {
	case IP, Path:
		return capacityIP
	case Port:
		return capacityPort
	}
	return 0
}

// DeviceID returns the identity of device i of a fleet: "device-" and 8 digits.
func DeviceID(i int) string {
	return string(AppendDeviceID(make([]byte, 0, DeviceIDLen), i))
}

// AppendDeviceID appends DeviceID(i) to dst.
func AppendDeviceID(dst []byte, i int) []byte {
	dst = append(dst, deviceIDPrefix...)
	var digits [deviceIDDigits]byte
	for d := deviceIDDigits - 1; d >= 0; d-- {
		digits[d] = byte('0' + i%10)
		i /= 10
	}
	return append(dst, digits[:]...)
}
