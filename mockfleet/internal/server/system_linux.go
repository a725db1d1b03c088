package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"
)

// epollSet is an epoll instance, which waits for many sockets at once. Go's own poller waits for
// the instance.
type epollSet struct {
	file *os.File
	raw  syscall.RawConn
}

func newEpollSet() (*epollSet, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // package os polls a file only if it is nonblocking
		_ = unix.Close(fd) // the first error is the one to report
		return nil, os.NewSyscallError("fcntl", err)
	}
	e := &epollSet{file: os.NewFile(uintptr(fd), "epoll")}
	if e.raw, err = e.file.SyscallConn(); err != nil {
		_ = e.file.Close() // likewise
		return nil, err
	}
	return e, nil
}

// watch makes await return the socket fd once, when it is readable or the peer closes it. It
// returns false if the system fails to.
func (e *epollSet) watch(fd int) bool {
	event := &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: int32(fd)}
	var failed error
	err := e.raw.Control(func(own uintptr) {
		// A socket that was parked before is still in the set, disabled.
		if failed = unix.EpollCtl(int(own), unix.EPOLL_CTL_MOD, fd, event); failed == unix.ENOENT {
			failed = unix.EpollCtl(int(own), unix.EPOLL_CTL_ADD, fd, event)
		}
	})
	return err == nil && failed == nil
}

// await waits until sockets are readable, and puts their descriptors into list. It fails if the set
// is closed.
func (e *epollSet) await(list []int32) (n int, err error) {
	var events [parkedAtOnce]unix.EpollEvent
	var failed error
	err = e.raw.Read(func(own uintptr) bool {
		for {
			n, failed = unix.EpollWait(int(own), events[:min(len(events), len(list))], 0)
			if failed != unix.EINTR {
				return n != 0
			}
		}
	})
	if err == nil {
		err = os.NewSyscallError("epoll_wait", failed)
	}
	if err != nil {
		return 0, err
	}
	for i := range n {
		list[i] = events[i].Fd
	}
	return n, nil
}

func (e *epollSet) close() error { return e.file.Close() }

// acceptQueue returns how many connections wait at a listener to be accepted, and how many may
// wait; or 0 and 0 if the system doesn't say. For a listening socket, TCP_INFO has these two in
// fields that mean something else for a connection (tcp_get_info in net/ipv4/tcp.c).
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

// acceptOverflows returns how often a connection was dropped because a listener's queue was full,
// on the whole machine or in the container; or 0 if that can't be read.
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

// listenLoopback listens on every address of the loopback interface, and on no other interface. On
// Linux, all of 127.0.0.0/8 is local, so that each device has an address without any configuration.
func listenLoopback(ctx context.Context, port uint16) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, rc syscall.RawConn) error {
		if err := bindLoopback(rc); err != nil {
			// Without it, the fleet would listen on the machine's other interfaces too.
			return fmt.Errorf("%w (SO_BINDTODEVICE: %w)", errNotLoopbackAlone, err)
		}
		return nil
	}}
	return Listen(ctx, lc, "tcp4", netip.AddrPortFrom(netip.IPv4Unspecified(), port))
}

// preferLoopback binds a socket with a loopback address to the loopback interface, if it can. The
// address alone doesn't keep other machines out: where route_localnet is set, as on machines that
// run containers, packets to 127.0.0.1 may come in over other interfaces. Linux before 5.7 requires
// CAP_NET_RAW to bind; without it, the address is the only protection, as on other systems.
func preferLoopback(_, _ string, rc syscall.RawConn) error {
	_ = bindLoopback(rc) // see above
	return nil
}

// bindLoopback binds a socket to the loopback interface, so that packets from other interfaces
// don't reach it.
func bindLoopback(rc syscall.RawConn) error {
	var bindErr error
	err := rc.Control(func(fd uintptr) { bindErr = unix.BindToDevice(int(fd), "lo") })
	return errors.Join(err, bindErr)
}

// GatesSupported reports whether a port can refuse or stall connections while it stays reserved for
// the fleet.
const GatesSupported = true

// shutSocket makes a listening socket refuse connections. The socket stays bound and doesn't share
// its port, so that nobody else can get the port.
func shutSocket(fd int) error {
	err := unix.Shutdown(fd, unix.SHUT_RD)
	return errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 0))
}

func openSocket(fd int) error { return listenAgain(fd, unix.SOMAXCONN) }

// stallSocket makes a socket listen with a backlog of one connection. Once that is full, the kernel
// drops every further SYN.
func stallSocket(fd int) error { return listenAgain(fd, 0) }

// listenAgain makes the socket listen again. It first lets the socket share its port with the
// connections that were accepted at it before.
func listenAgain(fd, backlog int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return err
	}
	return unix.Listen(fd, backlog)
}

// ResidentBytes returns the resident memory of the process, or 0 if it can't be read.
func ResidentBytes() uint64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}

// OpenDescriptors returns how many descriptors the process has open, or 0 if that can't be read.
func OpenDescriptors() int {
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

// peerClosed reports whether the peer of a socket has closed or reset it. Unread data doesn't hide
// that.
func peerClosed(fd uintptr) bool {
	fds := [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(fds[:], 0)
	return err == nil && n > 0
}
