package mockfleet

import (
	"bytes"
	"compress/gzip"
	"fmt"
)

// gzip-bomb: a body of Content-Encoding: gzip that is about 1 MB on the wire and 1 GiB when opened.
func gzipBomb() kind {
	return kind{name: "gzip-bomb", level: levelAnswer, takes: takesOn | takesFirst, answer: bomb}
}

const (
	bombMember  = 1 << 20 // bytes of a member of the file, opened
	bombMembers = 1 << 10
)

func bomb(c *conn, _ *request, h answerHead, _ strike) bool {
	var member bytes.Buffer // a gzip file may have many members, one behind the other (RFC 1952 §2.2)
	z := gzip.NewWriter(&member)
	_, _ = z.Write(make([]byte, bombMember)) // a buffer takes everything
	_ = z.Close()
	head := fmt.Sprintf("Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n", bombMembers*member.Len())
	if !c.write([]byte(statusLineOK + h.typeLine + head)) {
		return false
	}
	for range bombMembers {
		if !c.write(member.Bytes()) {
			return false
		}
		c.expire(stallLimit)
	}
	return false
}
