// Package http1 reads HTTP/1.x responses off connections. Both transports use it, so that both take
// and refuse the same ones; what it takes beyond RFC 9112 is in docs/reference/delivery.md. It
// never sees a connection, only a bufio.Reader, and decides nothing by what a response says.
package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/fleetmark/fleetmark/delivery/internal/check"
)

// Response is a response as it comes off a connection (RFC 9112). It is reused, and allocates only
// while its memory grows to what responses need.
type Response struct {
	Status int
	Close  bool // the connection serves no request after this one
	// Fields, each nil if the response has none. Of a repeated field it is the first value.
	ContentType, ContentEncoding, Location, Date []byte
	RetryAfter                                   []byte // all values, a line each
	Body                                         []byte

	head    []byte // the status line and the fields, a line each, ended by LF
	length  int64  // Content-Length; -1: none
	chunked bool
	values  [2][]byte // memory of RetryAfter and Body
}

// Limits bound a response, in bytes.
type Limits struct {
	Head int // of the final answer and the interim ones before it, together
	Body int
}

// Error says how a response breaks HTTP or a limit.
type Error struct{ Err error }

// Error implements error.
func (e *Error) Error() string { return "reading answer: " + e.Err.Error() }

// Unwrap returns what is wrong with the response.
func (e *Error) Unwrap() error { return e.Err }

var (
	errBodyTooLarge = errors.New("answer is larger than the limit")
	errHeadTooLarge = errors.New("head is larger than the limit")
)

// ErrSwitchedProtocols reports a response with status 101. What follows it isn't HTTP.
var ErrSwitchedProtocols = errors.New("device switched protocols, unasked")

func malformed(format string, args ...any) error {
	return &Error{&check.TruncatedError{Err: fmt.Errorf("malformed HTTP: "+format, args...)}}
}

// Read reads a final response to its end, and skips the interim ones before it.
func (r *Response) Read(br *bufio.Reader, limits Limits) error {
	left := limits.Head
	for {
		if err := r.ReadHead(br, limits.Head, &left); err != nil {
			return err
		}
		if !r.IsInterim() {
			return r.ReadBody(br, limits)
		}
	}
}

// IsInterim reports whether another response to the same request follows.
func (r *Response) IsInterim() bool {
	return r.Status < 200 && r.Status != http.StatusSwitchingProtocols
}

// isBodiless reports whether the status rules out a body. After 101 comes another protocol.
func (r *Response) isBodiless() bool {
	return r.Status < 200 || r.Status == http.StatusNoContent || r.Status == http.StatusNotModified
}

// ReadHead reads one head, interim or final, of at most left bytes, and subtracts its length from
// left. The error of a longer head names limit.
func (r *Response) ReadHead(br *bufio.Reader, limit int, left *int) error {
	r.Status, r.Close, r.length, r.chunked = 0, false, -1, false
	r.ContentType, r.ContentEncoding, r.Location, r.Date, r.RetryAfter, r.Body = nil, nil, nil, nil, nil, nil
	r.head = r.head[:0]
	if err := r.skipToStatus(br, left); err != nil {
		return err
	}
	for {
		begun := len(r.head)
		if err := r.addLine(br, left); err != nil {
			return r.cutIn(err)
		}
		if *left < 0 {
			return &Error{fmt.Errorf("%w of %d bytes (Config.MaxAnswerHead)", errHeadTooLarge, limit)}
		}
		switch line := r.head[begun:]; {
		case len(line) == 1: // the blank line
			r.head = r.head[:begun]
			return r.parse()
		case begun > 0 && (line[0] == ' ' || line[0] == '\t'):
			r.head[begun-1] = ' ' // a folded line goes on with the one before it (§5.2)
		}
	}
}

// skipToStatus skips blank lines, and returns an error if what follows doesn't begin like an
// answer.
func (r *Response) skipToStatus(br *bufio.Reader, left *int) error {
	for *left > 0 {
		b, err := br.Peek(1)
		if err != nil {
			return err
		}
		if b[0] == '\r' || b[0] == '\n' {
			if _, err := br.Discard(1); err != nil {
				return err
			}
			*left--
			continue
		}
		const begin = "HTTP/1."
		for n := 2; n <= len(begin); n++ {
			if b[n-2] != begin[n-2] {
				break
			}
			if b, err = br.Peek(n); err != nil {
				return r.cutIn(err)
			}
		}
		if string(b) != begin {
			b, _ = br.Peek(br.Buffered())
			line, _, _ := bytes.Cut(b, []byte("\n"))
			return malformed("answer begins with %q", line)
		}
		return nil
	}
	return malformed("nothing but blank lines")
}

// cutIn returns the error of a connection that ended in the middle of an answer.
func (r *Response) cutIn(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// addLine adds a line to the head, ended by LF alone. It stops when left is used up.
func (r *Response) addLine(br *bufio.Reader, left *int) error {
	for {
		part, err := br.ReadSlice('\n')
		*left -= len(part)
		if *left < 0 {
			return nil
		}
		r.head = append(r.head, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return err
		}
		if n := len(r.head); n >= 2 && r.head[n-2] == '\r' {
			r.head = append(r.head[:n-2], '\n')
		}
		return nil
	}
}

// parse reads the status line and the fields.
func (r *Response) parse() error {
	line, rest, _ := bytes.Cut(r.head, []byte("\n"))
	// HTTP/1.x SP 3DIGIT, and whatever reason follows
	if len(line) < len("HTTP/1.1 200") || line[7] < '0' || line[7] > '9' || line[8] != ' ' ||
		len(line) > 12 && line[12] != ' ' {
		return malformed("status line %q", line)
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return malformed("status line %q", line)
		}
		r.Status = 10*r.Status + int(c-'0')
	}
	if r.Status < 100 || r.Status > 599 {
		return malformed("status %s, which doesn't exist", line[9:12])
	}
	old := line[7] == '0'
	r.Close = old
	r.RetryAfter = r.values[0][:0]
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if err := r.field(line, old); err != nil {
			return err
		}
	}
	r.values[0] = r.RetryAfter[:0]
	if old && r.chunked {
		return malformed("Transfer-Encoding in HTTP/1.0")
	}
	if r.chunked && r.length >= 0 {
		r.Close, r.length = true, -1 // RFC 9112 §6.3: the coding counts, and the connection is not used again
	}
	return nil
}

func (r *Response) field(line []byte, old bool) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || !check.IsToken(name) {
		return malformed("header line %q", line)
	}
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return malformed("control character in header line %q", line)
		}
	}
	first := func(to *[]byte) {
		if *to == nil {
			*to = value
		}
	}
	if value == nil { // Trim's empty value is nil, but the first field counts even if it is empty
		value = line[:0]
	}
	switch len(name) {
	case len("date"):
		if check.EqualFold(name, "date") {
			first(&r.Date)
		}
	case len("location"):
		if check.EqualFold(name, "location") {
			first(&r.Location)
		}
	case len("connection"):
		if check.EqualFold(name, "connection") {
			r.connection(value, old)
		}
	case len("retry-after"):
		if check.EqualFold(name, "retry-after") {
			r.RetryAfter = append(append(r.RetryAfter, value...), '\n')
		}
	case len("content-type"):
		if check.EqualFold(name, "content-type") {
			first(&r.ContentType)
		}
	case len("content-length"):
		if check.EqualFold(name, "content-length") {
			return r.contentLength(value)
		}
	case len("content-encoding"):
		if check.EqualFold(name, "content-encoding") {
			first(&r.ContentEncoding)
		}
	case len("transfer-encoding"):
		if check.EqualFold(name, "transfer-encoding") {
			if r.chunked || !check.EqualFold(value, "chunked") {
				return malformed("Transfer-Encoding %q, which isn't known", value)
			}
			r.chunked = true
		}
	}
	return nil
}

func (r *Response) connection(value []byte, old bool) {
	for len(value) > 0 {
		var option []byte
		option, value, _ = bytes.Cut(value, []byte(","))
		switch option = bytes.Trim(option, " \t"); {
		case check.EqualFold(option, "close"):
			r.Close = true
		case old && check.EqualFold(option, "keep-alive"):
			r.Close = false
		}
	}
}

// contentLength sets the length of the body. A repeated field must have the same value (RFC 9110
// §8.6).
func (r *Response) contentLength(value []byte) error {
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return malformed("Content-Length %q", value)
		}
		n = min(10*n+int64(c-'0'), 1<<50)
	}
	if len(value) == 0 || r.length >= 0 && r.length != n {
		return malformed("Content-Length %q, and another or none before it", value)
	}
	r.length = n
	return nil
}

// ReadBody reads the body of a final response to its end.
func (r *Response) ReadBody(br *bufio.Reader, limits Limits) (err error) {
	r.Body = r.values[1][:0]
	defer func() { r.values[1] = r.Body[:0] }()
	switch {
	case r.isBodiless():
		r.Close = r.Close || r.Status < 200
		return nil
	case r.chunked:
		err = r.readChunks(br, limits)
	case r.length >= 0:
		err = r.readData(br, r.length, limits.Body)
	default:
		r.Close = true
		err = r.readToClose(br, limits.Body)
	}
	return r.cutIn(err)
}

// TooLarge returns the error of a body over a limit in bytes.
func TooLarge(limit int) error {
	return &Error{fmt.Errorf("%w of %d bytes (Config.MaxAnswer)", errBodyTooLarge, limit)}
}

// readData appends n bytes to the body.
func (r *Response) readData(br *bufio.Reader, n int64, limit int) error {
	if n > int64(limit-len(r.Body)) {
		return TooLarge(limit)
	}
	begun := len(r.Body)
	r.Body = slices.Grow(r.Body, int(n))[:begun+int(n)]
	_, err := io.ReadFull(br, r.Body[begun:])
	return err
}

func (r *Response) readToClose(br *bufio.Reader, limit int) error {
	for {
		r.Body = slices.Grow(r.Body, 512)
		n, err := br.Read(r.Body[len(r.Body):cap(r.Body)])
		r.Body = r.Body[:len(r.Body)+n]
		if len(r.Body) > limit {
			return TooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *Response) readChunks(br *bufio.Reader, limits Limits) error {
	for lines := 0; ; {
		line, err := chunkLine(br)
		if err != nil {
			return err
		}
		// Chunk sizes, extensions and trailers are bounded as well: to 8 bytes per byte of the
		// body, and the limit of a head.
		if lines += len(line) + len("\r\n"); lines > 8*len(r.Body)+limits.Head {
			return malformed("chunks with more around them than in them")
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := chunkSizeOf(bytes.TrimRight(size, " \t"), limits.Body)
		if err != nil {
			return err
		}
		if n == 0 {
			return skipTrailers(br, limits.Head)
		}
		if err := r.readData(br, n, limits.Body); err != nil {
			return err
		}
		if line, err = chunkLine(br); err != nil {
			return err
		}
		if len(line) > 0 {
			return malformed("chunk of %d bytes goes on with %q", n, line)
		}
	}
}

// chunkSizeOf reads a chunk's size. One beyond any limit is refused before it is read.
func chunkSizeOf(hex []byte, limit int) (int64, error) {
	n := int64(0)
	for _, c := range hex {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, malformed("chunk size %q", hex)
		}
		n = min(16*n+int64(c), 1<<50)
	}
	if len(hex) == 0 {
		return 0, malformed("chunk without a size")
	}
	if n > int64(limit) {
		return 0, TooLarge(limit)
	}
	return n, nil
}

// chunkLine reads a line between chunks, without its end.
func chunkLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, malformed("line of over %d bytes between chunks", len(line))
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(line[:len(line)-1], []byte("\r")), nil
}

func skipTrailers(br *bufio.Reader, limit int) error {
	for left := limit; ; {
		line, err := chunkLine(br)
		if err != nil || len(line) == 0 {
			return err
		}
		if left -= len(line) + len("\r\n"); left < 0 {
			return &Error{fmt.Errorf("trailers: %w of %d bytes (Config.MaxAnswerHead)", errHeadTooLarge, limit)}
		}
	}
}

// AppendCanonical appends the response in the form that net/http reads: with its fields as they
// came, except that a Content-Length replaces the fields of the framing.
func (r *Response) AppendCanonical(b []byte) []byte {
	line, rest, _ := bytes.Cut(r.head, []byte("\n"))
	b = append(b, "HTTP/1.1"...)
	b = append(b, line[len("HTTP/1.1"):]...)
	b = append(b, "\r\n"...)
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch {
		case check.EqualFold(name, "content-length"), check.EqualFold(name, "transfer-encoding"),
			check.EqualFold(name, "connection"), check.EqualFold(name, "trailer"):
		default:
			b = append(append(b, line...), "\r\n"...)
		}
	}
	if r.IsInterim() {
		return append(b, "\r\n"...)
	}
	if r.Close {
		b = append(b, "Connection: close\r\n"...)
	}
	if !r.isBodiless() {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(r.Body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, r.Body...)
}

// FinalStatus looks for the status of the final response at the beginning of b, past interim
// responses. It returns 0 if the status hasn't come yet, and 600 if b isn't a response.
func FinalStatus(b []byte) int {
	for {
		b = bytes.TrimLeft(b, "\r\n")
		const begin = "HTTP/1.1 200"
		if len(b) < len(begin) {
			if len(b) > 0 && !bytes.HasPrefix([]byte("HTTP/1."), b[:min(len(b), 7)]) {
				return 600
			}
			return 0
		}
		if !bytes.HasPrefix(b, []byte("HTTP/1.")) || b[8] != ' ' {
			return 600
		}
		status := 0
		for _, c := range b[9:12] {
			if c < '0' || c > '9' {
				return 600
			}
			status = 10*status + int(c-'0')
		}
		if status < 100 {
			return 600
		}
		if status >= 200 || status == http.StatusSwitchingProtocols {
			return status
		}
		end := HeadEnd(b)
		if end < 0 {
			return 0
		}
		b = b[end:]
	}
}

// HeadEnd returns the length of the head at the beginning of b, with its blank line. It returns -1
// if the head isn't complete.
func HeadEnd(b []byte) int {
	for at := 0; ; {
		i := bytes.IndexByte(b[at:], '\n')
		if i < 0 {
			return -1
		}
		at += i + 1
		switch {
		case at < len(b) && b[at] == '\n':
			return at + 1
		case at+1 < len(b) && b[at] == '\r' && b[at+1] == '\n':
			return at + 2
		}
	}
}
