package mockfleet

// wrong-digest: the device tells another digest than that of what it runs.
func wrongDigest() kind {
	return kind{name: "wrong-digest", level: levelVerify, takes: takesFirst, act: otherDigest{}}
}

type otherDigest struct{}

func (otherDigest) verify(v *view, _ strike) { v.device.digest[0] ^= 1 }
