package mockfleet

import (
	"fmt"
	"strconv"

	"github.com/fleetmark/fleetmark/mockfleet/address"
	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
	"github.com/fleetmark/fleetmark/mockfleet/internal/server"
)

// checkDescriptors returns a *ConfigError if a fleet needs more descriptors than the process may
// have.
func checkDescriptors(cfg Config) error {
	limit, known := server.DescriptorLimit()
	needed := uint64(descriptorReserve)
	if cfg.Addressing == address.Port {
		needed += uint64(cfg.Shard.Len(cfg.Devices))
	}
	if !known || needed <= limit {
		return nil
	}
	return &field.Error{
		Field: "devices", Value: strconv.Itoa(cfg.Shard.Len(cfg.Devices)), Err: fmt.Errorf("the process may open %d files", limit),
		Want: fmt.Sprintf("port addressing needs %d of them (ulimit -n), the others need %d", needed, descriptorReserve),
	}
}

// descriptorReserve is how many descriptors are kept for other uses than devices' listeners: a few
// connections, the control port, standard streams, the poller.
const descriptorReserve = 64

// connectionLimit returns how many connections a fleet may have open: as many as its Config says,
// or as fit into the process's descriptors.
func connectionLimit(cfg Config) int {
	if cfg.MaxConnections > 0 {
		return cfg.MaxConnections
	}
	limit, known := server.DescriptorLimit()
	if !known {
		return defaultMaxConnections
	}
	taken := uint64(descriptorReserve / 2)
	if cfg.Addressing == address.Port {
		taken += uint64(cfg.Shard.Len(cfg.Devices))
	}
	return int(min(defaultMaxConnections, max(limit, taken+1)-taken))
}
