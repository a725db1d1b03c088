package field

// HasControl reports whether b has a control character: one of ASCII's, or, in UTF-8, one of the second
// set (C1, U+0080 to U+009F), which a terminal obeys as well.
func HasControl(b []byte) bool {
	for i, c := range b {
		if c < ' ' || c == 0x7f || c == 0xc2 && i+1 < len(b) && b[i+1] >= 0x80 && b[i+1] <= 0x9f {
			return true
		}
	}
	return false
}
