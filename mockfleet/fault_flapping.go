package mockfleet

import "time"

// flapping: every other connection is refused. A port refuses for the delay, takes one connection, and
// refuses again. Where devices share a listener the first, third, … connection is reset as it is accepted.
func flapping() kind {
	return kind{
		name: "flapping", level: levelPort, takes: takesDelay, preset: lasting(100 * time.Millisecond),
		door: flappingDoor, connect: resetting, strikes: everyOther,
	}
}

func flappingDoor(s strike) posture {
	return posture{show: doorShut, lasts: s.delay(), again: s.delay()}
}

func everyOther(_ *workspace, s strike) bool { return s.attempt%2 == 1 }
