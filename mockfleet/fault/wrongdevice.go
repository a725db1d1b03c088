package fault

// wrong-device: the device reports the ID of the device with the next index.
func wrongDevice() Kind {
	return Kind{Name: "wrong-device", Point: PointReport, Params: ParamFirst, Report: reportNextDevice}
}

func reportNextDevice(v *VersionReport, _ Injection) { v.Device++ }
