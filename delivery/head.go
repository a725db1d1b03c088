package delivery

// appendHead appends a request's first lines, to the blank one. They are written by hand,
// for half the time that a general writer takes to keep and then write them: what goes in has
// been checked before (Device.target, NewUpdate, Config.Validate), so that nothing in
// it can end a line.
func (l *lean) appendHead(b []byte, x *exchange) []byte {
	b = append(b, x.method...)
	b = append(b, ' ')
	b = append(b, x.to.prefix...)
	b = append(b, x.path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, x.to.host...)
	b = append(b, "\r\n"...)
	if x.who != nil {
		b = append(b, x.who.lines.lines...)
	} else {
		b = append(b, l.header.lines...)
	}
	if x.header != nil {
		b = append(b, x.header.lines...)
	}
	if x.own.name != "" {
		b = appendField(b, x.own)
	}
	if x.expect {
		b = append(b, "Expect: 100-continue\r\n"...)
	}
	return append(b, "\r\n"...)
}

func appendField(b []byte, f field) []byte {
	b = append(b, f.name...)
	b = append(b, ": "...)
	b = append(b, f.value...)
	return append(b, "\r\n"...)
}
