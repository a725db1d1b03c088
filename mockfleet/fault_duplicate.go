package mockfleet

// duplicate: the update reaches the device twice, though it was sent once. The ledger counts two pushes, and
// the second one as a repeat.
func duplicate() kind {
	return kind{name: "duplicate", level: levelContent, takes: takesFirst, content: doubler}
}

func doubler(_ *request, p *push, _ strike) { p.duplicate = true }
