package fault

import "time"

// Conn is the connection that a fault acts on. Every wait ends when the client leaves or the fleet
// closes.
type Conn interface {
	// Write writes raw bytes. It reports whether they could be sent. Each write that succeeds gives
	// the client its time to make progress anew.
	Write(b []byte) bool
	// Close ends the connection with a FIN. It reads for a while what the client still sends, which
	// would otherwise turn the end into a reset (RFC 9112 §9.6).
	Close()
	// Reset ends the connection with a RST.
	Reset()
	// Sleep delays a response. It reports whether the client is still there.
	Sleep(d time.Duration) bool
	// Hold keeps the connection open without reading, for at most d.
	Hold(d time.Duration)
	// Discard reads and drops what comes, for at most d.
	Discard(d time.Duration)
	// SetReadBuffer sets the size of the socket's receive buffer, in bytes.
	SetReadBuffer(bytes int)
}

// Upload is an update whose head was read and whose body wasn't.
type Upload interface {
	Conn
	// Request returns the request, whose Close a fault may set.
	Request() *Request
	// Receive reads and hashes at most n bytes of the body. It reports whether they came.
	Receive(n int64) bool
	// Abort counts the update as broken off.
	Abort()
	// Refuse sets the response to an update for which a hook returns the action Refuse. The message
	// must need no escaping in JSON.
	Refuse(status int, message string)
	// Throttle makes the device read the body at a rate, through so small a buffer that the client
	// feels it.
	Throttle(bytesPerSecond int64)
	// SkipContinue keeps the device from sending a 100 (Continue).
	SkipContinue()
	// FlipBit changes a bit of the byte at offset, or of the last byte of a shorter body.
	FlipBit(offset int64)
	// Repeat makes the update count once more, as if it had come twice.
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
	// Origin returns what a Location begins with: the prefix of the device's own paths, or the
	// address of another origin.
	Origin(other bool) string
}

// Request is the head of a request, as far as faults look at it.
type Request struct {
	Target   []byte // as it came; valid, as Path is, until the request is answered
	Path     []byte // of the target, without its query
	Length   int64  // bytes of body, or UnknownLength
	Expect   Expect
	Head     bool // wants a response without its body
	Close    bool // the connection ends with the response
	BodyRead bool // nothing of the body is left to read
}

// UnknownLength is the Length of a chunked body.
const UnknownLength = -1

// Expect is what a request expects before it sends its body (RFC 9110 §10.1.1).
type Expect uint8

// The expectations.
const (
	ExpectNothing Expect = iota
	ExpectContinue
	ExpectOther
)

// Response is a response to a request. Whoever sends it adds the date, the length and the
// Connection field.
type Response struct {
	Status      int
	ContentType string // header line of the type
	Header      string // further header lines
	HTTP10      bool   // in HTTP/1.0
	Body        []byte
	Date        time.Time // of the response; set only for faults
}

// VersionReport is what a device says about itself.
type VersionReport struct {
	Device  int
	Version string // as a JSON string, quotes and all
	Digest  [32]byte
}

// SmallBuffer is the size, in bytes, of a receive buffer that a client feels when the device doesn't
// read. The kernel doubles it. Over loopback it takes 600 MB/s.
const SmallBuffer = 16 << 10

// encode returns the bytes of a response to the request of e.
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
