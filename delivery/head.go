package delivery

import "strconv"

// appendHead appends a request's first lines, to the blank one. They are written by hand,
// for half the time that the codec takes to keep and then write them: what goes in has
// been checked before (Device.target, NewUpdate, Config.Validate), so that nothing in
// it can end a line.
func (l *lean) appendHead(b []byte, to target, x *exchange) []byte {
	b = append(b, x.method...)
	b = append(b, ' ')
	b = append(b, to.prefix...)
	b = append(b, x.path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, to.host...)
	b = append(b, "\r\nUser-Agent: "+userAgent+"\r\n"...)
	for _, f := range x.header {
		if f.name != "" {
			b = appendField(b, f)
		}
	}
	for _, f := range l.extra {
		b = appendField(b, f)
	}
	if x.expect {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	if x.body != nil {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, x.body.size, 10)
		b = append(b, "\r\n"...)
	}
	return append(b, "\r\n"...)
}

func appendField(b []byte, f field) []byte {
	b = append(b, f.name...)
	b = append(b, ": "...)
	b = append(b, f.value...)
	return append(b, "\r\n"...)
}
