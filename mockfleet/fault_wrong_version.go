package mockfleet

// wrong-version: the device tells another version than it runs.
func wrongVersion() kind {
	return kind{name: "wrong-version", level: levelVerify, takes: takesFirst, verify: otherVersion}
}

func otherVersion(v *view, _ strike) { v.version = `"0.0.0-wrong"` }
