package fault

// wrong-version: the device reports the version 0.0.0-wrong.
func wrongVersion() Kind {
	return Kind{Name: "wrong-version", Point: PointReport, Params: ParamFirst, Report: reportOtherVersion}
}

func reportOtherVersion(v *VersionReport, _ Injection) { v.Version = `"0.0.0-wrong"` }
