package fault

// wrong-version: the device tells another version than it runs.
func wrongVersion() Kind {
	return Kind{Name: "wrong-version", Point: PointReport, Params: ParamFirst, Report: reportOtherVersion}
}

func reportOtherVersion(v *VersionReport, _ Injection) { v.Version = `"0.0.0-wrong"` }
