package target

import (
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// A DeviceList is the devices of a run, packed: text in blocks, and 5 bytes a device that say where
// in it. A million of them as a slice of delivery.Device would take 32 MB beside their text, and
// the garbage collector would look at an address of each.
type DeviceList struct {
	blocks []string
	// starts holds where the text of each device begins, the number of the block before the
	// position in it, and last where a further one would begin. A device's text is in one block. It
	// ends where the next one begins, or with the block.
	starts []uint32
	ids    []uint8 // how many bytes of that are its ID; the address is the rest
}

// A block is so small that the last one, half empty, is nothing beside a short list, and that a
// position in one of 65,536 fits into 32 bits.
const (
	listBlockBits = 16
	listBlock     = 1 << listBlockBits
	maxListBlocks = 1 << (32 - listBlockBits)
)

// maxListID is the longest ID whose length can be kept. delivery takes IDs of half of that.
const maxListID = math.MaxUint8

// Len returns how many devices there are.
func (l *DeviceList) Len() int { return len(l.ids) }

// At returns device i. It is made of parts of the list, and allocates nothing.
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

// A deviceListBuilder builds a list. Nothing that it has written is copied again as the list grows.
type deviceListBuilder struct {
	list DeviceList
	text *strings.Builder // the block under way
}

// newDeviceListBuilder makes room for n devices; 0 if it isn't known how many there will be.
func newDeviceListBuilder(n int) *deviceListBuilder {
	return &deviceListBuilder{list: DeviceList{starts: make([]uint32, 0, n+1), ids: make([]uint8, 0, n)}}
}

// addDevice adds a device. One that delivery takes fits.
func addDevice[T string | []byte](b *deviceListBuilder, id, address T) error {
	length := len(id) + len(address)
	if len(id) > maxListID || length > listBlock {
		return fmt.Errorf("device %d: an ID of %d bytes and an address of %d are too long",
			b.list.Len(), len(id), len(address))
	}
	// Behind a full block there is no position, not even for no text.
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

// build ends the list and returns it.
func (b *deviceListBuilder) build() *DeviceList {
	b.endBlock()
	b.list.starts = append(b.list.starts, uint32(len(b.list.blocks)<<listBlockBits))
	return &b.list
}

// ListDevices returns the first n devices of the fleet at base, its own address.
func ListDevices(base string, a address.Mode, n int) (*DeviceList, error) {
	addresses, err := address.ParseBase(base, a)
	if err != nil {
		return nil, err
	}
	b := newDeviceListBuilder(n)
	var id, text []byte
	for i := range n {
		id = address.AppendDeviceID(id[:0], i)
		if text, err = addresses.Append(text[:0], i); err != nil {
			return nil, err
		}
		if err := addDevice(b, id, text); err != nil {
			return nil, err
		}
	}
	return b.build(), nil
}
