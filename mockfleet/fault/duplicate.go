package fault

// duplicate: the update reaches the device twice, though it was sent once. The ledger counts two
// pushes, the second one as a repeat.
func duplicate() Kind {
	return Kind{Name: "duplicate", Point: PointBody, Params: ParamFirst, Body: repeatUpdate}
}

func repeatUpdate(u Upload, _ Injection) { u.Repeat() }
