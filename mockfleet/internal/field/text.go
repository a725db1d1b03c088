package field

// HasControl reports whether b has a control character: an ASCII one, or a C1 one in UTF-8 (U+0080
// to U+009F), which terminals obey too.
func HasControl(b []byte) bool {
	for i, c := range b {
		if c < ' ' || c == 0x7f || c == 0xc2 && i+1 < len(b) && b[i+1] >= 0x80 && b[i+1] <= 0x9f {
			return true
		}
	}
	return false
}
