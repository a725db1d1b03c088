package mockfleet

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"net/url"
	"runtime"
	"strconv"
)

// Addressing is how a fleet tells one device from another.
type Addressing string

// The ways of addressing a device. In each, device 0 to Devices-1 has an address that DeviceAddress
// derives from the fleet's own.
const (
	AddressIP   Addressing = "ip"   // an IP address each, 127.1.0.0 and up, all on one port; Linux only
	AddressPort Addressing = "port" // a port each, in one contiguous block
	AddressPath Addressing = "path" // a path each, /d/INDEX, all on one port
)

const (
	firstDeviceIP  = 127<<24 + 1<<16 // 127.1.0.0, device 0 in ip addressing
	loopbackEnd    = 128<<24 - 1     // 127.255.255.255, the broadcast address
	capacityIP     = loopbackEnd - firstDeviceIP
	capacityPort   = 5000
	devicePrefix   = "/d/"
	deviceIDPrefix = "device-"
	deviceIDDigits = 8
)

// DefaultAddressing is ip on Linux and path elsewhere.
func DefaultAddressing() Addressing {
	if runtime.GOOS == "linux" {
		return AddressIP
	}
	return AddressPath
}

// ParseAddressing reads "ip", "port" or "path". Its error is a *ConfigError.
func ParseAddressing(s string) (Addressing, error) {
	switch a := Addressing(s); a {
	case AddressIP, AddressPort, AddressPath:
		return a, nil
	}
	return "", &ConfigError{Field: "addressing", Value: strconv.Quote(s), Want: "ip, port or path"}
}

// Capacity is the number of devices that a can address: 16,711,679 for ip (127.1.0.0 up to, and
// without, the broadcast address 127.255.255.255) and for path, 5,000 for port, 0 if a is unknown.
func (a Addressing) Capacity() int {
	switch a {
	case AddressIP, AddressPath:
		return capacityIP
	case AddressPort:
		return capacityPort
	}
	return 0
}

// DeviceID is the identity that device i of a fleet answers to: "device-" and 8 digits.
func DeviceID(i int) string {
	return string(AppendDeviceID(make([]byte, 0, len(deviceIDPrefix)+deviceIDDigits), i))
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

// DeviceAddress derives the address of device i from base, the address that a fleet gave as
// Ready.Address, so that a driver in another process need not ask for each:
//
//	ip    http://127.1.0.0:PORT and up
//	port  http://HOST:PORT+i
//	path  http://HOST:PORT/d/i
func DeviceAddress(base string, a Addressing, i int) (string, error) {
	if err := a.check(i); err != nil {
		return "", err
	}
	all, err := ParseAddresses(base, a)
	if err != nil {
		return "", err
	}
	address, err := all.Append(nil, i)
	return string(address), err
}

// Addresses is where the devices of a fleet are.
type Addresses struct {
	scheme     string
	at         netip.AddrPort
	addressing Addressing
}

// ParseAddresses takes base apart once, for a driver that needs the addresses of a million devices;
// DeviceAddress says what base is.
func ParseAddresses(base string, a Addressing) (Addresses, error) {
	u, err := url.Parse(base)
	if err != nil {
		return Addresses{}, fmt.Errorf("mockfleet: fleet address: %w", err)
	}
	at, err := netip.ParseAddrPort(u.Host)
	if err != nil || u.Scheme == "" {
		return Addresses{}, fmt.Errorf("mockfleet: fleet address %q: want scheme://IP:PORT, as a fleet gives it when it is ready", base)
	}
	return Addresses{u.Scheme, at, a}, nil
}

// Append appends the address of device i to dst. It allocates nothing where dst has room.
func (a Addresses) Append(dst []byte, i int) ([]byte, error) {
	if err := a.addressing.check(i); err != nil {
		return dst, err
	}
	at := a.at
	switch a.addressing {
	case AddressIP:
		at = netip.AddrPortFrom(deviceIP(i), at.Port())
	case AddressPort:
		port := int(at.Port()) + i
		if port > 65535 {
			return dst, fmt.Errorf("mockfleet: device %d: port %d is beyond 65535", i, port)
		}
		at = netip.AddrPortFrom(at.Addr(), uint16(port))
	}
	dst = append(dst, a.scheme...)
	dst = append(dst, "://"...)
	dst = at.AppendTo(dst)
	if a.addressing == AddressPath {
		dst = append(dst, devicePrefix...)
		dst = strconv.AppendInt(dst, int64(i), 10)
	}
	return dst, nil
}

func (a Addressing) check(i int) error {
	if i < 0 || i >= a.Capacity() {
		return fmt.Errorf("mockfleet: device %d: %q addressing holds devices 0 to %d", i, string(a), a.Capacity()-1)
	}
	return nil
}

// deviceIP is the IP address of device i in ip addressing.
func deviceIP(i int) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], firstDeviceIP+uint32(i))
	return netip.AddrFrom4(b)
}

// deviceOfIP is the inverse of deviceIP: -1 for an address that is no device's.
func deviceOfIP(ip netip.Addr) int {
	ip = ip.Unmap()
	if !ip.Is4() {
		return -1
	}
	b := ip.As4()
	n := binary.BigEndian.Uint32(b[:])
	if n < firstDeviceIP || n >= loopbackEnd {
		return -1
	}
	return int(n - firstDeviceIP)
}
