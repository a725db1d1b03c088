package fault

import (
	"bytes"
	"compress/gzip"
	"fmt"
)

// gzip-bomb: the answer has Content-Encoding: gzip and 1 MB that decompress to 1 GiB.
func gzipBomb() Kind {
	return Kind{Name: "gzip-bomb", Point: PointResponse, Params: ParamOn | ParamFirst, Respond: sendGzipBomb}
}

const (
	gzipMemberSize = 1 << 20 // decompressed bytes of one gzip member
	gzipMembers    = 1 << 10
)

func sendGzipBomb(e Exchange, r *Response, _ Injection) bool {
	var member bytes.Buffer // a gzip file may have many members in a row (RFC 1952 §2.2)
	z := gzip.NewWriter(&member)
	_, _ = z.Write(make([]byte, gzipMemberSize)) // writing to a buffer never fails
	_ = z.Close()
	head := fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", gzipMembers*member.Len())
	if !e.Write([]byte(statusOK + r.ContentType + head)) {
		return false
	}
	for range gzipMembers {
		if !e.Write(member.Bytes()) {
			return false
		}
	}
	return false
}
