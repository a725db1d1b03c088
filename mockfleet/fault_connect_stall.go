package mockfleet

// connect-stall: a connection to the device's port never completes, for the delay or, without one, for
// good. The port listens with a backlog that is full, so the kernel drops whoever knocks.
func connectStall() kind {
	return kind{name: "connect-stall", level: levelPort, takes: takesDelay, needsPort: true, door: stalling}
}

func stalling(s strike) posture { return posture{show: doorStalled, lasts: s.delay()} }
