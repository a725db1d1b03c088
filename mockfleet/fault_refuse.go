package mockfleet

// refuse: nothing listens at the device's port, for the delay or, without one, for good.
func refuse() kind {
	return kind{name: "refuse", level: levelPort, takes: takesDelay, needsPort: true, door: refusing}
}

func refusing(s strike) posture { return posture{show: doorShut, lasts: s.delay()} }
