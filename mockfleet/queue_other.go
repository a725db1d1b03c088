//go:build !linux

package mockfleet

import "net"

// acceptQueue is only known on Linux.
func acceptQueue(*net.TCPListener) (length, limit int) { return 0, 0 }

// acceptOverflows is only known on Linux.
func acceptOverflows() uint64 { return 0 }
