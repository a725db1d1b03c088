package exchange

import (
	"crypto/tls"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
)

// UserAgent is the User-Agent of requests, unless another is configured.
const UserAgent = "fleetmark-delivery"

const headerUserAgent = "User-Agent"

// Field is a header field of a request.
type Field struct{ Name, Value string }

// Header is a part of requests that is made once, in two forms: as fields for net/http, and as
// lines for the wire, which include the Content-Length of the body.
type Header struct {
	Fields []Field
	Lines  []byte
}

// NewHeader returns the header of requests with these fields. A content length of 0 is left out.
func NewHeader(fields []Field, contentLength int64) Header {
	h := Header{Fields: fields}
	for _, f := range fields {
		h.Lines = AppendField(h.Lines, f)
	}
	if contentLength > 0 {
		h.Lines = AppendField(h.Lines, Field{"Content-Length", strconv.FormatInt(contentLength, 10)})
	}
	return h
}

// AppendField appends a field as it goes over the wire.
func AppendField(b []byte, f Field) []byte {
	b = append(b, f.Name...)
	b = append(b, ": "...)
	b = append(b, f.Value...)
	return append(b, "\r\n"...)
}

// CommonHeader is the configured part of all requests to a device, in the same two forms: the
// User-Agent, which is UserAgent if none is configured, and the other fields in the order of their
// names.
type CommonHeader struct {
	UserAgent []string
	Fields    []FieldValues // without the User-Agent
	Lines     []byte        // everything
}

// FieldValues is a header field with all its values.
type FieldValues struct {
	Name   string
	Values []string
}

// NewCommonHeader returns the common header of a configured one, which may be nil.
func NewCommonHeader(configured http.Header) CommonHeader {
	var h CommonHeader
	for name, values := range SortedHeader(configured) {
		if name == headerUserAgent {
			h.UserAgent = values
		} else {
			h.Fields = append(h.Fields, FieldValues{name, values})
		}
		for _, v := range values {
			h.Lines = AppendField(h.Lines, Field{name, v})
		}
	}
	if h.UserAgent == nil {
		h.UserAgent = []string{UserAgent}
		h.Lines = append(AppendField(nil, Field{headerUserAgent, UserAgent}), h.Lines...)
	}
	return h
}

// SortedHeader yields the fields of a header in the order of their names, so that requests are the
// same bytes every time.
func SortedHeader(h http.Header) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			if !yield(http.CanonicalHeaderKey(name), h[name]) {
				return
			}
		}
	}
}

// Identity is a device's own credentials. Equal credentials share one, and connections and TLS
// sessions belong to one: so no request goes over a connection that was opened with other
// credentials, or to a device of another name.
type Identity struct {
	Header CommonHeader // in place of the transport's
	TLS    *tls.Config  // likewise
}
