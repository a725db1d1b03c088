package fault

// slow-read: the device reads the body at a rate, through a receive buffer so small that the client
// feels it.
func slowRead() Kind {
	return Kind{Name: "slow-read", Point: PointUpload, Params: ParamFirst | ParamRate, NeedsRate: true, Upload: readSlowly}
}

func readSlowly(u Upload, in Injection) Action {
	u.Throttle(in.BytesPerSecond())
	return Continue
}
