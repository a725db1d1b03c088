package fault

import "time"

// Conn is the connection that a fault acts on. Each of its methods that waits returns early when
// the client leaves or the fleet closes.
type Conn interface {
	// Write writes raw bytes. It reports whether they could be sent. Each successful write restarts
	// the client's time limit for making progress.
	Write(b []byte) bool
	// Close ends the connection with a FIN. It goes on reading for a while, since unread data would
	// turn the FIN into a reset (RFC 9112 §9.6).
	Close()
	// Reset ends the connection with a RST.
	Reset()
	// Sleep waits for d before a response is sent. It reports whether the client is still there.
	Sleep(d time.Duration) bool
	// Hold keeps the connection open without reading, for at most d.
	Hold(d time.Duration)
	// Discard reads and drops what comes, for at most d.
	Discard(d time.Duration)
	// SetReadBuffer sets the size of the socket's receive buffer, in bytes.
	SetReadBuffer(bytes int)
}

// Upload is an update whose head has been read and whose body hasn't.
type Upload interface {
	Conn
	// Request returns the request. A fault may set its Close.
	Request() *Request
	// Receive reads and hashes at most n bytes of the body. It returns false if the body broke off.
	Receive(n int64) bool
	// Abort counts the update as broken off.
	Abort()
	// Refuse sets the response to an update for which a hook returns the action Refuse. The message
	// must need no escaping in JSON.
	Refuse(status int, message string)
	// Throttle makes the device read the body at a rate, through a receive buffer so small that the
	// client's writes block.
	Throttle(bytesPerSecond int64)
	// SkipContinue keeps the device from sending a 100 (Continue).
	SkipContinue()
	// FlipBit changes a bit of the byte at offset, or of the last byte of a shorter body.
	FlipBit(offset int64)
	// Repeat makes the update count once more, as if it had been sent twice.
	Repeat()
}

// Exchange is a request whose response is ready.
type Exchange interface {
	Conn
	Request() *Request
	// Send sends a response. It reports whether the connection goes on.
	Send(*Response) bool
	// Encode returns the bytes of a response, the body included, without a Connection field. They
	// are valid until the next Encode or Send.
	Encode(*Response) []byte
	// Origin returns the beginning of a Location. It is the address of another origin if other is
	// true, and otherwise the prefix of the device's own paths, which may be empty.
	Origin(other bool) string
}

// Request is the head of a request, as far as faults look at it.
type Request struct {
	Target   []byte // as received; like Path, valid until the request is answered
	Path     []byte // the path of Target, without its query
	Length   int64  // bytes of body, or UnknownLength
	Expect   Expect
	Head     bool // the client wants a response without its body
	Close    bool // the connection ends with the response
	BodyRead bool // nothing of the body is left to read
}

// UnknownLength is the Length of a chunked body.
const UnknownLength = -1

// Expect is what a client expects before it sends the body (RFC 9110 §10.1.1).
type Expect uint8

// The expectations.
const (
	ExpectNothing Expect = iota
	ExpectContinue
	ExpectOther
)

// Response is a response to a request. The sender adds the Date, Content-Length and Connection
// fields.
type Response struct {
	Status      int
	ContentType string // the Content-Type header line
	Header      string // further header lines
	HTTP10      bool   // sent as HTTP/1.0
	Body        []byte
	Date        time.Time // of the response; set only for faults
}

// VersionReport is what a device reports in answer to a version request.
type VersionReport struct {
	Device  int    // its number in the whole fleet
	Version string // as a JSON string, quotes and all
	Digest  [32]byte
}

// SmallBuffer is the size, in bytes, of a receive buffer that fills soon after the device stops
// reading, so that the client's writes block. The kernel doubles it. While the device reads, it
// limits little: over loopback it passes 600 MB/s.
const SmallBuffer = 16 << 10

// encode returns the bytes of a response to the request of e, without the body for a HEAD request.
func encode(e Exchange, r *Response) []byte {
	b := e.Encode(r)
	if e.Request().Head {
		b = b[:len(b)-len(r.Body)]
	}
	return b
}

// writeLast writes the last bytes of a connection. It returns false, since the connection ends.
func writeLast(c Conn, b []byte) bool {
	if c.Write(b) {
		c.Close()
	}
	return false
}

// statusOK is the status line of the responses that faults write themselves.
const statusOK = "HTTP/1.1 200 OK\r\n"
