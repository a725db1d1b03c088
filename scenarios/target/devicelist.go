package target

import (
	"fmt"
	"iter"
	"math"
	"net/netip"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// A DeviceList holds the devices of a run in packed form: their text in blocks, and 5 bytes a
// device that say where its text is. A slice of a million delivery.Device values would take 32 MB
// besides their text, and the garbage collector would follow the pointers of each.
type DeviceList struct {
	blocks []string
	// starts holds where the text of each device begins, as the number of the block followed by the
	// position in it, and at its end where the text of a further device would begin. A device's
	// text is in one block; it ends where the next device's begins, or at the end of the block.
	starts []uint32
	ids    []uint8 // how many bytes of its text are its ID; the rest is its address
}

// A block is so small that a half-empty one doesn't matter, even in a short list, and that the
// numbers of 65,536 blocks with positions in them fit into 32 bits.
const (
	listBlockBits = 16
	listBlock     = 1 << listBlockBits
	maxListBlocks = 1 << (32 - listBlockBits)
)

// maxListID is the longest ID whose length fits into a byte. delivery accepts IDs of half that
// length.
const maxListID = math.MaxUint8

// Len returns the number of devices.
func (l *DeviceList) Len() int { return len(l.ids) }

// At returns device i. Its strings are parts of the list's text, so At allocates nothing.
func (l *DeviceList) At(i int) delivery.Device {
	start, end := l.starts[i], l.starts[i+1]
	text := l.blocks[start>>listBlockBits]
	if end>>listBlockBits == start>>listBlockBits {
		text = text[:end%listBlock]
	}
	text = text[start%listBlock:]
	id := l.ids[i]
	return delivery.Device{ID: text[:id], Address: text[id:]}
}

// All returns the devices in their order.
func (l *DeviceList) All() iter.Seq[delivery.Device] {
	return func(yield func(delivery.Device) bool) {
		for i := range l.Len() {
			if !yield(l.At(i)) {
				return
			}
		}
	}
}

// A deviceListBuilder builds a list. It never copies what it has written.
type deviceListBuilder struct {
	list DeviceList
	text *strings.Builder // the block being written
}

// newDeviceListBuilder returns a builder with room for n devices. n may be 0 if their number isn't
// known.
func newDeviceListBuilder(n int) *deviceListBuilder {
	return &deviceListBuilder{list: DeviceList{starts: make([]uint32, 0, n+1), ids: make([]uint8, 0, n)}}
}

// addDevice adds a device. It returns an error only for IDs and addresses that delivery rejects, or
// if all of them together are too long.
func addDevice[T string | []byte](b *deviceListBuilder, id, address T) error {
	length := len(id) + len(address)
	if len(id) > maxListID || length > listBlock {
		return fmt.Errorf("device %d: an ID of %d bytes and an address of %d are too long",
			b.list.Len(), len(id), len(address))
	}
	// A full block has no position left, not even for an empty text.
	if b.text == nil || b.text.Len() == listBlock || b.text.Len()+length > listBlock {
		b.endBlock()
		if len(b.list.blocks) == maxListBlocks {
			return fmt.Errorf("device %d: want IDs and addresses of 4 GiB at most, all together", b.list.Len())
		}
		b.text = &strings.Builder{}
		b.text.Grow(listBlock)
	}
	b.list.starts = append(b.list.starts, b.position())
	b.list.ids = append(b.list.ids, uint8(len(id)))
	b.text.WriteString(string(id))
	b.text.WriteString(string(address))
	return nil
}

// position returns where the text of the next device begins.
func (b *deviceListBuilder) position() uint32 {
	return uint32(len(b.list.blocks)<<listBlockBits + b.text.Len())
}

func (b *deviceListBuilder) endBlock() {
	if b.text != nil {
		b.list.blocks = append(b.list.blocks, b.text.String())
		b.text = nil
	}
}

// build returns the finished list.
func (b *deviceListBuilder) build() *DeviceList {
	b.endBlock()
	b.list.starts = append(b.list.starts, uint32(len(b.list.blocks)<<listBlockBits))
	return &b.list
}

// ListDevices returns the devices that a shard has of the first n devices. base is the own address
// of the shard's fleet, from which the devices' addresses derive by their indices in the shard.
// Their IDs are those of their numbers in the whole fleet. network is the one that the fleet is in,
// if it is in ip addressing; the zero Prefix is the loopback network.
func ListDevices(base string, a address.Mode, network netip.Prefix, shard address.Shard, n int) (*DeviceList, error) {
	addresses, err := address.ParseBase(base, a, network)
	if err != nil {
		return nil, err
	}
	n = shard.Len(n)
	b := newDeviceListBuilder(n)
	var id, text []byte
	for i := range n {
		id = address.AppendDeviceID(id[:0], shard.Number(i))
		if text, err = addresses.Append(text[:0], i); err != nil {
			return nil, err
		}
		if err := addDevice(b, id, text); err != nil {
			return nil, err
		}
	}
	return b.build(), nil
}
