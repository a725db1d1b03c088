package address

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"net/netip"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// A device network is the prefix whose addresses the devices of a fleet have in [IP] addressing.
// The zero Prefix and [Loopback] mean that of every machine, where device 0 is at 127.1.0.0. In any
// other network device 0 has the second address, since the first and the last of a network are
// special to some systems (RFC 1122 §3.2.1.3).

const (
	firstDeviceIP = 127<<24 + 1<<16 // 127.1.0.0, device 0 on the loopback network
	loopbackEnd   = 128<<24 - 1     // 127.255.255.255, the broadcast address
	capacityIP    = loopbackEnd - firstDeviceIP

	shortestNetwork, longestNetwork = 8, 30 // bits of a device network's prefix

	// NetworkField is the field of the errors about a device network, and the name of its flag.
	NetworkField = "device-network"
)

// Loopback returns the loopback network, 127.0.0.0/8.
func Loopback() netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{127}), 8) }

// OnLoopback reports whether the devices of a network are on the loopback interface, so that only
// their own machine reaches them and no route is needed.
func OnLoopback(network netip.Prefix) bool { return !network.IsValid() || network.Addr().IsLoopback() }

// CheckNetwork returns an error, a *mockfleet.ConfigError, if devices can't have the addresses of a
// network: it isn't IPv4, its prefix is shorter than 8 bits or longer than 30, bits behind the
// prefix are set, or its addresses are no machine's own (0.0.0.0/8 and 224.0.0.0 up). The zero
// Prefix is fine.
func CheckNetwork(network netip.Prefix) error {
	if network == (netip.Prefix{}) {
		return nil
	}
	want := ""
	switch at := network.Addr(); {
	case !network.IsValid() || !at.Is4():
		want = "an IPv4 network such as 10.64.0.0/10"
	case network.Bits() < shortestNetwork || network.Bits() > longestNetwork:
		want = fmt.Sprintf("a prefix of %d to %d bits, such as 10.64.0.0/10", shortestNetwork, longestNetwork)
	case network != network.Masked():
		want = network.Masked().String() + ", the network that this address is in"
	case at.As4()[0] == 0 || at.As4()[0] >= 224:
		want = "a network of addresses that machines can have, such as 10.64.0.0/10"
	default:
		return nil
	}
	return &field.Error{Field: NetworkField, Value: network.String(), Want: want}
}

// RouteCommand returns the command that makes all addresses of a network a Linux machine's own.
func RouteCommand(network netip.Prefix) string {
	return "ip route add local " + network.String() + " dev lo"
}

// NetworkCapacity returns how many devices have an address in a network: as many as it has
// addresses but for the first and the last, 16,711,679 on the loopback network, and 0 if it isn't
// IPv4.
func NetworkCapacity(network netip.Prefix) int {
	_, n := deviceRange(network)
	return n
}

// deviceRange returns the address of device 0 in a network, and how many devices have one.
func deviceRange(network netip.Prefix) (first uint32, n int) {
	if network == (netip.Prefix{}) || network == Loopback() {
		return firstDeviceIP, capacityIP
	}
	if !network.IsValid() || !network.Addr().Is4() {
		return 0, 0
	}
	b := network.Masked().Addr().As4()
	return binary.BigEndian.Uint32(b[:]) + 1, max(0, 1<<(32-network.Bits())-2)
}

// DeviceIP returns the IP address of device i in ip addressing: 127.1.0.0 + i on the loopback
// network, and the second address of another network + i. It doesn't check i.
func DeviceIP(network netip.Prefix, i int) netip.Addr {
	first, _ := deviceRange(network)
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], first+uint32(i))
	return netip.AddrFrom4(b)
}

// DeviceOfIP returns the index of the device at ip; it is the inverse of DeviceIP. It returns -1 if
// ip is no device's address in the network.
func DeviceOfIP(network netip.Prefix, ip netip.Addr) int {
	ip = ip.Unmap()
	if !ip.Is4() {
		return -1
	}
	first, n := deviceRange(network)
	b := ip.As4()
	if i := int(binary.BigEndian.Uint32(b[:])) - int(first); i >= 0 && i < n {
		return i
	}
	return -1
}

// Subnet returns the part of a device network that a shard has of a fleet with so many devices in
// all shards. All parts are equal: the network is cut into the least power of two that gives each
// shard one. On the loopback network every shard has all of it, since each machine has one. The
// error is a *mockfleet.ConfigError if s or the network is out of bounds (see Shard.Validate and
// CheckNetwork), or if the devices don't fit; it then says how many do.
func Subnet(network netip.Prefix, s Shard, devices int) (netip.Prefix, error) {
	if err := errors.Join(append(s.Validate(), CheckNetwork(network))...); err != nil {
		return netip.Prefix{}, err
	}
	if network == (netip.Prefix{}) || network == Loopback() {
		return network, nil
	}
	count := max(1, s.Count)
	more := bits.Len(uint(count - 1))
	length := network.Bits() + more
	most := 0
	if length <= longestNetwork {
		most = 1<<(32-length) - 2
	}
	if (Shard{Count: s.Count}).Len(devices) > most { // the first shard has the most devices
		want := fmt.Sprintf("a larger network: cut into %d it holds %d devices in %d shards, not %d",
			1<<more, most*count, count, devices)
		return netip.Prefix{}, &field.Error{Field: NetworkField, Value: network.String(), Want: want}
	}
	b := network.Addr().As4()
	at := binary.BigEndian.Uint32(b[:]) + uint32(s.Index)<<(32-length)
	binary.BigEndian.PutUint32(b[:], at)
	return netip.PrefixFrom(netip.AddrFrom4(b), length), nil
}
