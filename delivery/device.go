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
	// ID is who the device must say it is, at most 128 bytes of UTF-8 without control characters or
	// space around it. Empty: the device isn't asked, and whoever answers at the address counts.
	ID string
	// Address is where it answers, http://HOST[:PORT][/PREFIX] or https://…
	Address string
}

// Validate reports what is wrong with the ID or the address. Nothing that fails
// here reaches a connection: a line break in either could smuggle a header.
func (d Device) Validate() error {
	_, err := d.target()
	return err
}

// target checks the device and gives its address.
func (d Device) target() (endpoint.Target, error) {
	if len(d.ID) > wire.MaxDeviceID || !check.IsPrintable(d.ID) {
		return endpoint.Target{}, fmt.Errorf("device id %q: want at most %d bytes of UTF-8 without control characters or space around them", check.Truncate(d.ID), wire.MaxDeviceID)
	}
	return endpoint.Parse(d.Address)
}

// Name returns what errors and events call the device: its ID, or its address if it has no ID. An
// ID or address that Validate refuses may hold anything: Name quotes and shortens it, and leaves its
// secrets out.
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
