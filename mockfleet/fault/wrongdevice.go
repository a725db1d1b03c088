package fault

// wrong-device: another device answers at that address, the one of the next index.
func wrongDevice() Kind {
	return Kind{Name: "wrong-device", Point: PointReport, Params: ParamFirst, Report: reportNextDevice}
}

func reportNextDevice(v *VersionReport, _ Injection) { v.Device++ }
