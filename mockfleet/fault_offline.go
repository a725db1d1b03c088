package mockfleet

// offline: the device is gone for good. A port refuses; where devices share a listener, connections are
// reset as they are accepted. Connections that were open before are reset when they are used.
func offline() kind {
	return kind{name: "offline", level: levelPort, act: goneForGood{}}
}

type goneForGood struct{ resetting }

func (goneForGood) door(strike) posture { return posture{show: doorShut} }
