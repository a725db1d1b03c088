package delivery

import (
	"fmt"
	"strconv"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
	"github.com/fleetmark/fleetmark/internal/wire"
)

// Device is one device to update.
type Device struct {
	// ID is the ID that the device must report, at most 128 bytes of UTF-8 without control
	// characters or space around it. If it is empty, the device's ID isn't checked, and any device
	// that answers at the address is accepted.
	ID string
	// Address is where the device answers: http://HOST[:PORT][/PREFIX] or https://…
	Address string
}

// Validate returns an error if the ID or the address is not valid. A device with such a value is
// never connected to: a line break in either could smuggle a header.
func (d Device) Validate() error {
	_, err := d.target()
	return err
}

// target validates the device and returns its address.
func (d Device) target() (endpoint.Target, error) {
	if len(d.ID) > wire.MaxDeviceID || !check.IsPrintable(d.ID) {
		return endpoint.Target{}, fmt.Errorf("device id %q: want at most %d bytes of UTF-8 without control characters or space around them", check.Truncate(d.ID), wire.MaxDeviceID)
	}
	return endpoint.Parse(d.Address)
}

// Name returns what errors and events call the device: its ID, or its address if it has no ID. An
// ID or address that Validate refuses may hold anything: Name quotes and shortens it, and leaves
// its secrets out.
func (d Device) Name() string {
	if d.ID != "" {
		if len(d.ID) > wire.MaxDeviceID || !check.IsPrintable(d.ID) {
			return strconv.Quote(check.Truncate(d.ID))
		}
		return d.ID
	}
	if _, err := endpoint.Parse(d.Address); err != nil {
		return strconv.Quote(endpoint.RedactAddress(d.Address))
	}
	return d.Address
}
