package fault

// close-mid-upload: the device closes after so many bytes of the body, or at the end of a shorter
// one (FIN).
func closeMidUpload() Kind {
	return Kind{
		Name: "close-mid-upload", Point: PointUpload, Params: ParamFirst | ParamAfterBytes,
		Upload: closeAfterBytes,
	}
}

func closeAfterBytes(u Upload, in Injection) Action {
	u.Receive(in.Offset())
	u.Abort()
	u.Close()
	return End
}
