package mockfleet

import "encoding/binary"

// garbage: bytes that aren't HTTP, and the end of the connection.
func garbage() kind {
	return kind{name: "garbage", level: levelAnswer, takes: takesOn | takesFirst, answer: noise}
}

func noise(c *conn, _ *request, _ answerHead, s strike) bool {
	out := make([]byte, 0, 512)
	for x := splitmix64(s.seed ^ uint64(s.device)); len(out) < cap(out); x = splitmix64(x) {
		out = binary.LittleEndian.AppendUint64(out, x|0x80) // no letter begins it
	}
	return c.sendRaw(out)
}
