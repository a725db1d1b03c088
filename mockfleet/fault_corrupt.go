package mockfleet

// corrupt: one bit of the body is turned before the device hashes it, in the byte behind so many others, or
// in the last one of a shorter body.
func corrupt() kind {
	return kind{name: "corrupt", level: levelContent, takes: takesFirst | takesAfter, content: bitTurner}
}

func bitTurner(r *request, p *push, s strike) {
	p.corrupt = s.afterBytes() + 1
	if r.length > 0 {
		p.corrupt = min(p.corrupt, r.length)
	}
}
