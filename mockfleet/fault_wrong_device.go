package mockfleet

// wrong-device: another device answers at that address, the one of the next index.
func wrongDevice() kind {
	return kind{name: "wrong-device", level: levelVerify, takes: takesFirst, verify: otherDevice}
}

func otherDevice(v *view, _ strike) { v.index++ }
