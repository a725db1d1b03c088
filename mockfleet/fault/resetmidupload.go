package fault

// reset-mid-upload: the device resets after so many bytes of the body, or at the end of a shorter
// one (RST).
func resetMidUpload() Kind {
	return Kind{
		Name: "reset-mid-upload", Point: PointUpload, Params: ParamFirst | ParamAfterBytes,
		Upload: resetAfterBytes,
	}
}

func resetAfterBytes(u Upload, in Injection) Action {
	u.Receive(in.Offset())
	u.Abort()
	u.Reset()
	return End
}
