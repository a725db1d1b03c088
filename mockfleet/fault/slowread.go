package fault

// slow-read: the device reads the body at a rate in bytes a second, through a receive buffer of 32
// KiB, or of 8 KiB below 8 KiB/s.
func slowRead() Kind {
	return Kind{Name: "slow-read", Point: PointUpload, Params: ParamFirst | ParamRate, NeedsRate: true, Upload: readSlowly}
}

func readSlowly(u Upload, in Injection) Action {
	u.Throttle(in.BytesPerSecond())
	return Continue
}
