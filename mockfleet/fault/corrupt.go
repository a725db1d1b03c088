package fault

// corrupt: one bit of the body is inverted before the device hashes it, in the byte after so many
// others, or in the last one of a shorter body. The device answers 400 if Repr-Digest says
// otherwise; without it the device has another digest.
func corrupt() Kind {
	return Kind{Name: "corrupt", Point: PointBody, Params: ParamFirst | ParamAfterBytes, Body: flipBit}
}

func flipBit(u Upload, in Injection) { u.FlipBit(in.Offset()) }
