package doctor

import "fmt"

const (
	manyPorts   = 10_000 // what a load of some hundred connections a second to one address needs
	enoughQueue = 1024   // as many workers as may connect at once
)

func ports(f Facts) (State, string, string) {
	if f.Ports == nil || f.ReuseTimeWait == nil {
		return Unknown, "unknown", "see how many local ports connections are given, and how long those that were closed keep theirs"
	}
	p := f.Ports
	n := p.Last - p.First + 1
	reuse := map[int]string{0: "not reused", 1: "reused", 2: "reused on loopback"}[*f.ReuseTimeWait]
	// How many are in TIME_WAIT says nothing by itself: each keeps its port from one peer only.
	found := fmt.Sprintf("%d ports, %d sockets in TIME_WAIT, %s", n, p.TimeWait, reuse)
	switch {
	case n < manyPorts:
		return Warning, found, `sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"`
	case *f.ReuseTimeWait == 0:
		return Warning, found, "sudo sysctl -w net.ipv4.tcp_tw_reuse=2"
	}
	return OK, found, ""
}

func acceptQueue(f Facts) (State, string, string) {
	if f.AcceptQueue == nil {
		return Unknown, "unknown", fmt.Sprintf("see that a listener's queue holds %d connections", enoughQueue)
	}
	found := fmt.Sprintf("%d connections", *f.AcceptQueue)
	if *f.AcceptQueue < enoughQueue {
		return Warning, found, "sudo sysctl -w net.core.somaxconn=4096"
	}
	return OK, found, ""
}

func loopback(f Facts) (State, string, string) {
	l := f.Loopback
	name := map[string]string{"ip": "127.0.0.0/8", "port": "a port each", "path": "a path each"}[l.Addressing]
	six := "::1"
	if l.NoIPv6 != "" {
		six = "no ::1"
	}
	switch {
	case l.Addressing == "":
		return Unknown, "unknown", "see whether a fleet comes up: fleetmark fleet --devices 2"
	case l.Refused != "" && l.Addressing == "path":
		return Problem, "no device answers: " + l.Refused, "see what keeps a program from serving on 127.0.0.1"
	case l.Refused != "":
		return Warning, fmt.Sprintf("not %s (%s); %s", name, l.Refused, six), "fleetmark run --addressing path"
	case l.NoIPv6 != "":
		return Warning, name + ", " + six + ": " + l.NoIPv6, "sudo sysctl -w net.ipv6.conf.lo.disable_ipv6=0, if devices have IPv6 addresses"
	}
	return OK, name + ", " + six, ""
}
