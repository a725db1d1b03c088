package fault

import (
	"encoding/binary"

	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// garbage: the answer is 512 bytes that aren't HTTP, and then FIN.
func garbage() Kind {
	return Kind{Name: "garbage", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: sendGarbage}
}

func sendGarbage(e Exchange, _ *Response, in Injection) bool {
	out := make([]byte, 0, 512)
	for x := random.Mix(in.Seed ^ uint64(in.Device)); len(out) < cap(out); x = random.Mix(x) {
		out = binary.LittleEndian.AppendUint64(out, x|0x80) // the first byte is above 0x7f, and so begins no HTTP
	}
	return writeLast(e, out)
}
