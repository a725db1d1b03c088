package mockfleet

import (
	"net"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// acceptQueue is how many connections wait at a listener to be accepted, and how many may; 0 where that
// can't be had. Of a listening socket, TCP_INFO tells these two in fields that mean other things of a
// connection (tcp_get_info in net/ipv4/tcp.c).
func acceptQueue(l *net.TCPListener) (length, limit int) {
	raw, err := l.SyscallConn()
	if err != nil {
		return 0, 0
	}
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err != nil || failed != nil || info.State != tcpListen {
		return 0, 0
	}
	return int(info.Unacked), int(info.Sacked)
}

const tcpListen = 10 // TCP_LISTEN of include/net/tcp_states.h

// acceptOverflows is how often a connection was dropped because a listener's queue was full, on the whole
// machine, or in the container; 0 where that can't be read.
func acceptOverflows() uint64 {
	self, err := procfs.Self()
	if err != nil {
		return 0
	}
	stat, err := self.Netstat()
	if err != nil || stat.TcpExt.ListenOverflows == nil {
		return 0
	}
	return uint64(*stat.TcpExt.ListenOverflows)
}
