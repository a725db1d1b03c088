package process

import (
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
)

// Ports for profiles are drawn from these, since connections get theirs from higher ones on most
// systems. A port could be taken by a connection before the process listens on it.
const (
	minPort, maxPort = 20_000, 32_768
	portTries        = 100
)

// freeAddress returns an address of the loopback interface on which nobody listens.
func freeAddress() (string, error) {
	var err error
	for range portTries {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(minPort+rand.IntN(maxPort-minPort)))
		var l net.Listener
		if l, err = net.Listen("tcp", address); err == nil {
			return address, l.Close()
		}
	}
	return "", err
}

// servesProfiles reports whether each process is told an address for its profiles.
func (c Config) servesProfiles() bool {
	return c.Placeholder != "" && slices.ContainsFunc(c.Command, func(word string) bool {
		return strings.Contains(word, c.Placeholder)
	})
}

// commandFor returns the command of a process, and the address at which it is to serve its profiles.
// The address is empty if the process isn't told one.
func (c Config) commandFor() (words []string, address string, err error) {
	if !c.servesProfiles() {
		return c.Command, "", nil
	}
	if address, err = freeAddress(); err != nil {
		return nil, "", err
	}
	words = slices.Clone(c.Command)
	for i, word := range words {
		words[i] = strings.ReplaceAll(word, c.Placeholder, address)
	}
	return words, address, nil
}

// ProfileAddresses returns the addresses, such as 127.0.0.1:20123, at which the processes that run
// now were told to serve their profiles. It returns nil if they weren't told one.
func (p *Pool) ProfileAddresses() (list []string) {
	for _, s := range p.seats {
		s.mu.Lock()
		if s.child != nil && s.child.pprof != "" {
			list = append(list, s.child.pprof)
		}
		s.mu.Unlock()
	}
	return list
}
