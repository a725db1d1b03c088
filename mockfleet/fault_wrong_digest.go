package mockfleet

// wrong-digest: the device tells another digest than that of what it runs.
func wrongDigest() kind {
	return kind{name: "wrong-digest", level: levelVerify, takes: takesFirst, verify: otherDigest}
}

func otherDigest(v *view, _ strike) { v.device.digest[0] ^= 1 }
