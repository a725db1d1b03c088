package fault

// corrupt: one bit of the body is turned before the device hashes it, in the byte behind so many
// others, or in the last one of a shorter body.
func corrupt() Kind {
	return Kind{Name: "corrupt", Point: PointBody, Params: ParamFirst | ParamAfterBytes, Body: flipBit}
}

func flipBit(u Upload, in Injection) { u.FlipBit(in.Offset()) }
