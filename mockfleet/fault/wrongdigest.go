package fault

// wrong-digest: the device tells another digest than that of what it runs.
func wrongDigest() Kind {
	return Kind{Name: "wrong-digest", Point: PointReport, Params: ParamFirst, Report: reportOtherDigest}
}

func reportOtherDigest(v *VersionReport, _ Injection) { v.Digest[0] ^= 1 }
