package scenarios

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/fleetmark/fleetmark/results"
)

// ReadLocalPorts reads which ports connections are given and how many sockets are in
// TIME_WAIT now, from the proc file system below root: "/", but in tests. It is nil where
// that can't be told.
func ReadLocalPorts(root string) *results.LocalPorts {
	text, err := os.ReadFile(filepath.Join(root, "proc/sys/net/ipv4/ip_local_port_range"))
	if err != nil {
		return nil
	}
	var p results.LocalPorts
	if _, err := fmt.Sscan(string(text), &p.First, &p.Last); err != nil {
		return nil
	}
	proc, err := procfs.NewFS(filepath.Join(root, "proc"))
	if err != nil {
		return nil
	}
	sockets, err := proc.NetSockstat()
	if err != nil {
		return nil
	}
	for _, protocol := range sockets.Protocols { // that of IPv6 is counted in here
		if protocol.Protocol == "TCP" && protocol.TW != nil {
			p.TimeWait = *protocol.TW
			return &p
		}
	}
	return nil
}

// openDescriptors is how many descriptors this process has open; 0 where that can't be
// told.
func openDescriptors() int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return 0
	}
	names, err := dir.Readdirnames(-1)
	if closeErr := dir.Close(); err != nil || closeErr != nil {
		return 0
	}
	return len(names) - 1 // without the one that lists them
}

// descriptorNames are what the open ones are of, as the system calls it, and how many of each: "socket:" for
// all sockets.
func descriptorNames() map[string]int {
	names := map[string]int{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return names
	}
	for _, e := range entries {
		to, err := os.Readlink("/proc/self/fd/" + e.Name())
		switch {
		case err != nil: // the one that lists them
		case strings.HasPrefix(to, sockets):
			names[sockets]++
		default:
			names[to]++
		}
	}
	return names
}
