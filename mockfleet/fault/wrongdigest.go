package fault

// wrong-digest: the device reports the digest of what it runs with one bit inverted.
func wrongDigest() Kind {
	return Kind{Name: "wrong-digest", Point: PointReport, Params: ParamFirst, Report: reportOtherDigest}
}

func reportOtherDigest(v *VersionReport, _ Injection) { v.Digest[0] ^= 1 }
