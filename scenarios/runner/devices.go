package runner

import (
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet"
)

// DeviceList is the devices of a run, packed: text in blocks, and 5 bytes a device that
// say where in it. A million of them as a slice of delivery.Device would take 32 MB
// beside their text, and an address each the garbage collector a million looks.
type DeviceList struct {
	blocks []string
	// starts is where each device's text begins, the block's number before the place
	// in it, and last where a further one would. A device's text is in one block; it
	// ends where the next one's begins, or with the block.
	starts []uint32
	ids    []uint8 // how much of that is its ID; the address is the rest
}

// A block is small enough that the last one, half empty, is nothing beside a short
// list; a place in one of 65,536 is what 32 bits hold.
const (
	listBlockBits = 16
	listBlock     = 1 << listBlockBits
	maxListBlocks = 1 << (32 - listBlockBits)
)

// maxListID is what the length of an ID is kept in; delivery takes half as long ones.
const maxListID = math.MaxUint8

// Len is how many there are.
func (l *DeviceList) Len() int { return len(l.ids) }

// At is device i. It is made of parts of the list, and allocates nothing.
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

// All gives them in their order.
func (l *DeviceList) All() iter.Seq[delivery.Device] {
	return func(yield func(delivery.Device) bool) {
		for i := range l.Len() {
			if !yield(l.At(i)) {
				return
			}
		}
	}
}

// deviceListMaker makes a list. Nothing that it has written is copied again as the list grows.
type deviceListMaker struct {
	list DeviceList
	text *strings.Builder // the block under way
}

// newDeviceListMaker makes room for n devices, if it is known how many there will be.
func newDeviceListMaker(n int) *deviceListMaker {
	return &deviceListMaker{list: DeviceList{starts: make([]uint32, 0, n+1), ids: make([]uint8, 0, n)}}
}

// addDevice adds one. What delivery takes fits.
func addDevice[T string | []byte](m *deviceListMaker, id, address T) error {
	length := len(id) + len(address)
	if len(id) > maxListID || length > listBlock {
		return fmt.Errorf("device %d: an ID of %d bytes and an address of %d are too long", m.list.Len(), len(id), len(address))
	}
	// Behind a full block there is no place, not even for no text.
	if m.text == nil || m.text.Len() == listBlock || m.text.Len()+length > listBlock {
		m.endBlock()
		if len(m.list.blocks) == maxListBlocks {
			return fmt.Errorf("device %d: want IDs and addresses of 4 GiB at most, all together", m.list.Len())
		}
		m.text = &strings.Builder{}
		m.text.Grow(listBlock)
	}
	m.list.starts = append(m.list.starts, m.place())
	m.list.ids = append(m.list.ids, uint8(len(id)))
	m.text.WriteString(string(id))
	m.text.WriteString(string(address))
	return nil
}

// place is where the next device's text begins.
func (m *deviceListMaker) place() uint32 {
	return uint32(len(m.list.blocks)<<listBlockBits + m.text.Len())
}

func (m *deviceListMaker) endBlock() {
	if m.text != nil {
		m.list.blocks = append(m.list.blocks, m.text.String())
		m.text = nil
	}
}

// made ends the list.
func (m *deviceListMaker) made() *DeviceList {
	m.endBlock()
	m.list.starts = append(m.list.starts, uint32(len(m.list.blocks)<<listBlockBits))
	return &m.list
}

// addressed lists a fleet's devices below its address.
func addressed(base string, a mockfleet.Addressing, n int) (*DeviceList, error) {
	addresses, err := mockfleet.ParseAddresses(base, a)
	if err != nil {
		return nil, err
	}
	m := newDeviceListMaker(n)
	var id, address []byte
	for i := range n {
		id = mockfleet.AppendDeviceID(id[:0], i)
		if address, err = addresses.Append(address[:0], i); err != nil {
			return nil, err
		}
		if err := addDevice(m, id, address); err != nil {
			return nil, err
		}
	}
	return m.made(), nil
}
