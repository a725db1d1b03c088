package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/fleetmark/fleetmark/mockfleet"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// serveFleet is the fleet that another agent drives, until ctx ends. The devices have addresses of
// their own on the network.
func (j *job) serveFleet(ctx context.Context) (err error) {
	cfg, err := j.fleetConfig()
	if err != nil {
		return err
	}
	j.doing("starting its fleet", 0, 0)
	f, err := mockfleet.Start(ctx, cfg)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := j.measureOffset(ctx, firstExchanges); err != nil {
		return err
	}
	plan, err := planDigest(j.spec, j.offer.Artifact)
	if err != nil {
		return err
	}
	at := f.Ready()
	j.mu.Lock()
	o := j.offset
	j.mu.Unlock()
	j.update(func(s *agentState) {
		s.Phase, s.Activity = ready, ""
		s.Ready = &readiness{
			Plan: plan, Offset: int64(o.theirs), Error: int64(o.within), Devices: f.Devices(),
			Fleet: &fleetAddress{at.Address, at.Control, string(at.Token), at.CA},
		}
	})
	<-ctx.Done()
	return nil
}

// fleetConfig returns the configuration of the fleet of the agent's shard.
func (j *job) fleetConfig() (mockfleet.Config, error) {
	a, cfg := j.agent, j.spec.FleetConfig()
	own, err := address.Subnet(a.Network, cfg.Shard, cfg.Devices)
	if err != nil {
		return cfg, fmt.Errorf("the device network: %w", err)
	}
	listen := a.Listen
	if !listen.IsValid() {
		if listen, err = localAddress(a.conn.ConnectedAddr()); err != nil {
			return cfg, err
		}
	}
	cfg.Network, cfg.Addressing, cfg.AllowRemote = own, address.IP, true
	cfg.Listen, cfg.ControlListen = netip.AddrPortFrom(own.Addr(), 0).String(), netip.AddrPortFrom(listen, 0).String()
	return cfg, nil
}

// localAddress returns the address of this machine from which packets to another machine go.
func localAddress(to string) (netip.Addr, error) {
	c, err := net.Dial("udp", to) // sends nothing
	if err != nil {
		return netip.Addr{}, fmt.Errorf("the address of this machine for drivers isn't known: %w: give --listen", err)
	}
	defer func() { _ = c.Close() }()
	return c.LocalAddr().(*net.UDPAddr).AddrPort().Addr(), nil
}
