package mockfleet

// rollback: the device runs an update at first, and after the delay what it ran before. Without a delay,
// it does so as soon as it was asked once for its version.
func rollback() kind {
	return kind{name: "rollback", level: levelLife, takes: takesFirst | takesDelay, live: relapse}
}

func relapse(s strike) passage { return passage{relapses: true, relapseIn: s.delay()} }
