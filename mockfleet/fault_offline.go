package mockfleet

// offline: the device is gone for good. A port refuses; where devices share a listener, connections are
// reset as they are accepted. Connections that were open before are reset when they are used.
func offline() kind {
	return kind{name: "offline", level: levelPort, permanent: true, door: goneForGood, connect: resetting}
}

func goneForGood(strike) posture { return posture{show: doorShut} }
