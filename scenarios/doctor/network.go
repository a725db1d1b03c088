package doctor

import "fmt"

const (
	recommendedPorts = 10_000 // for a load of some hundred connections a second to one address
	recommendedQueue = 1024   // the number of workers that may connect at once
)

func ports(f Facts) (State, string, string) {
	if f.Ports == nil || f.ReuseTimeWait == nil {
		return Unknown, "unknown",
			"see how many local ports connections are given, and how long those that were closed keep theirs"
	}
	p := f.Ports
	n := p.Last - p.First + 1
	reuse := map[int]string{0: "not reused", 1: "reused", 2: "reused on loopback"}[*f.ReuseTimeWait]
	// The number of sockets in TIME_WAIT doesn't matter: each blocks its port for one peer only.
	found := fmt.Sprintf("%d ports, %d sockets in TIME_WAIT, %s", n, p.TimeWait, reuse)
	if n < recommendedPorts {
		return Warning, found, `sudo sysctl -w net.ipv4.ip_local_port_range="1024 65535"`
	}
	return grade(false, *f.ReuseTimeWait == 0), found, "sudo sysctl -w net.ipv4.tcp_tw_reuse=2"
}

func acceptQueue(f Facts) (State, string, string) {
	if f.AcceptQueue == nil {
		return Unknown, "unknown", fmt.Sprintf("see that a listener's queue holds %d connections", recommendedQueue)
	}
	return grade(false, *f.AcceptQueue < recommendedQueue), fmt.Sprintf("%d connections", *f.AcceptQueue),
		"sudo sysctl -w net.core.somaxconn=4096"
}

func loopback(f Facts, a Advice) (State, string, string) {
	l := f.Loopback
	name := map[string]string{"ip": "127.0.0.0/8", "port": "a port each", "path": "a path each"}[l.Addressing]
	six := "::1"
	if l.NoIPv6 != "" {
		six = "no ::1"
	}
	switch {
	case l.Addressing == "":
		return Unknown, "unknown", "see whether a fleet comes up: " + a.StartFleet
	case l.Refused != "" && l.Addressing == "path":
		return Problem, "no device answers: " + l.Refused, "see what keeps a program from serving on 127.0.0.1"
	case l.Refused != "":
		return Warning, fmt.Sprintf("not %s (%s); %s", name, l.Refused, six), a.PathAddressing
	case l.NoIPv6 != "":
		return Warning, name + ", " + six + ": " + l.NoIPv6,
			"sudo sysctl -w net.ipv6.conf.lo.disable_ipv6=0, if devices have IPv6 addresses"
	}
	return OK, name + ", " + six, ""
}
