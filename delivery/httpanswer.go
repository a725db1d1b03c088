package delivery

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

// httpAnswer is an answer of HTTP/1.x, as it comes off a connection (RFC 9112). Both
// transports read answers with it, so that both take and refuse the same ones; what it
// takes beyond the RFC is in docs/delivery.md. It is reused, and allocates only while its
// memory grows to what answers need.
type httpAnswer struct {
	status int
	final  bool // the connection serves no request after this one
	// Fields, each nil if the answer has none. Of a repeated field it is the first value.
	contentType, encoding, location, date []byte
	retryAfter                            []byte // all values, a line each
	body                                  []byte

	head    []byte // the status line and the fields, a line each, ended by LF
	length  int64  // Content-Length; -1: none
	chunked bool
	values  [2][]byte // memory of retryAfter and body
}

// answerLimits bound an answer, in bytes.
type answerLimits struct {
	head int // of the final answer and the interim ones before it, together
	body int
}

// answerError says how an answer breaks HTTP or a limit.
type answerError struct{ err error }

func (e *answerError) Error() string { return "reading answer: " + e.err.Error() }
func (e *answerError) Unwrap() error { return e.err }

var (
	errAnswerTooLarge = errors.New("answer is larger than the limit")
	errHeadTooLarge   = errors.New("head is larger than the limit")
	errSwitched       = errors.New("device switched protocols, unasked")
)

func malformed(format string, args ...any) error {
	return &answerError{&clippedError{fmt.Errorf("malformed HTTP: "+format, args...)}}
}

// read reads a final answer to its end, and skips the interim ones before it.
func (a *httpAnswer) read(br *bufio.Reader, limits answerLimits) error {
	left := limits.head
	for {
		if err := a.readHead(br, limits.head, &left); err != nil {
			return err
		}
		if !a.isInterim() {
			return a.readBody(br, limits)
		}
	}
}

func (a *httpAnswer) isInterim() bool {
	return a.status < 200 && a.status != http.StatusSwitchingProtocols
}

// isBodiless reports whether the status rules out a body. After 101 comes another protocol.
func (a *httpAnswer) isBodiless() bool {
	return a.status < 200 || a.status == http.StatusNoContent || a.status == http.StatusNotModified
}

// readHead reads one head, interim or final, of left bytes at most, and takes its length
// from left. limit is what the error names.
func (a *httpAnswer) readHead(br *bufio.Reader, limit int, left *int) error {
	a.status, a.final, a.length, a.chunked = 0, false, -1, false
	a.contentType, a.encoding, a.location, a.date, a.retryAfter, a.body = nil, nil, nil, nil, nil, nil
	a.head = a.head[:0]
	if err := a.skipToStatus(br, left); err != nil {
		return err
	}
	for {
		begun := len(a.head)
		if err := a.addLine(br, left); err != nil {
			return a.cutIn(err)
		}
		if *left < 0 {
			return &answerError{fmt.Errorf("%w of %d bytes (Config.MaxAnswerHead)", errHeadTooLarge, limit)}
		}
		switch line := a.head[begun:]; {
		case len(line) == 1: // the blank line
			a.head = a.head[:begun]
			return a.parse()
		case begun > 0 && (line[0] == ' ' || line[0] == '\t'):
			a.head[begun-1] = ' ' // a folded line goes on with the one before it (§5.2)
		}
	}
}

// skipToStatus skips blank lines, and refuses what doesn't begin as an answer does.
func (a *httpAnswer) skipToStatus(br *bufio.Reader, left *int) error {
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
				return a.cutIn(err)
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

// cutIn is the end of a connection in the middle of an answer.
func (a *httpAnswer) cutIn(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// addLine adds a line to the head, ended by LF alone, until left is used up.
func (a *httpAnswer) addLine(br *bufio.Reader, left *int) error {
	for {
		part, err := br.ReadSlice('\n')
		*left -= len(part)
		if *left < 0 {
			return nil
		}
		a.head = append(a.head, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return err
		}
		if n := len(a.head); n >= 2 && a.head[n-2] == '\r' {
			a.head = append(a.head[:n-2], '\n')
		}
		return nil
	}
}

// parse reads the status line and the fields.
func (a *httpAnswer) parse() error {
	line, rest, _ := bytes.Cut(a.head, []byte("\n"))
	// HTTP/1.x SP 3DIGIT, and whatever reason follows
	if len(line) < len("HTTP/1.1 200") || line[7] < '0' || line[7] > '9' || line[8] != ' ' || len(line) > 12 && line[12] != ' ' {
		return malformed("status line %q", line)
	}
	for _, c := range line[9:12] {
		if c < '0' || c > '9' {
			return malformed("status line %q", line)
		}
		a.status = 10*a.status + int(c-'0')
	}
	if a.status < 100 || a.status > 599 {
		return malformed("status %s, which doesn't exist", line[9:12])
	}
	old := line[7] == '0'
	a.final = old
	a.retryAfter = a.values[0][:0]
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if err := a.field(line, old); err != nil {
			return err
		}
	}
	a.values[0] = a.retryAfter[:0]
	if old && a.chunked {
		return malformed("Transfer-Encoding in HTTP/1.0")
	}
	if a.chunked && a.length >= 0 {
		a.final, a.length = true, -1 // RFC 9112 §6.3: the coding counts, and the connection is not used again
	}
	return nil
}

func (a *httpAnswer) field(line []byte, old bool) error {
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
		if equalFoldASCII(name, "date") {
			first(&a.date)
		}
	case len("location"):
		if equalFoldASCII(name, "location") {
			first(&a.location)
		}
	case len("connection"):
		if equalFoldASCII(name, "connection") {
			a.connection(value, old)
		}
	case len("retry-after"):
		if equalFoldASCII(name, "retry-after") {
			a.retryAfter = append(append(a.retryAfter, value...), '\n')
		}
	case len("content-type"):
		if equalFoldASCII(name, "content-type") {
			first(&a.contentType)
		}
	case len("content-length"):
		if equalFoldASCII(name, "content-length") {
			return a.contentLength(value)
		}
	case len("content-encoding"):
		if equalFoldASCII(name, "content-encoding") {
			first(&a.encoding)
		}
	case len("transfer-encoding"):
		if equalFoldASCII(name, "transfer-encoding") {
			if a.chunked || !equalFoldASCII(value, "chunked") {
				return malformed("Transfer-Encoding %q, which isn't known", value)
			}
			a.chunked = true
		}
	}
	return nil
}

func (a *httpAnswer) connection(value []byte, old bool) {
	for len(value) > 0 {
		var option []byte
		option, value, _ = bytes.Cut(value, []byte(","))
		switch option = bytes.Trim(option, " \t"); {
		case equalFoldASCII(option, "close"):
			a.final = true
		case old && equalFoldASCII(option, "keep-alive"):
			a.final = false
		}
	}
}

// contentLength takes equal values for one (RFC 9110 §8.6).
func (a *httpAnswer) contentLength(value []byte) error {
	n := int64(0)
	for _, c := range value {
		if c < '0' || c > '9' {
			return malformed("Content-Length %q", value)
		}
		n = min(10*n+int64(c-'0'), 1<<50)
	}
	if len(value) == 0 || a.length >= 0 && a.length != n {
		return malformed("Content-Length %q, and another or none before it", value)
	}
	a.length = n
	return nil
}

// readBody reads the body of a final answer to its end.
func (a *httpAnswer) readBody(br *bufio.Reader, limits answerLimits) (err error) {
	a.body = a.values[1][:0]
	defer func() { a.values[1] = a.body[:0] }()
	switch {
	case a.isBodiless():
		a.final = a.final || a.status < 200
		return nil
	case a.chunked:
		err = a.readChunks(br, limits)
	case a.length >= 0:
		err = a.readData(br, a.length, limits.body)
	default:
		a.final = true
		err = a.readToClose(br, limits.body)
	}
	return a.cutIn(err)
}

func tooLarge(limit int) error {
	return &answerError{fmt.Errorf("%w of %d bytes (Config.MaxAnswer)", errAnswerTooLarge, limit)}
}

// readData adds n bytes to the body.
func (a *httpAnswer) readData(br *bufio.Reader, n int64, limit int) error {
	if n > int64(limit-len(a.body)) {
		return tooLarge(limit)
	}
	begun := len(a.body)
	a.body = slices.Grow(a.body, int(n))[:begun+int(n)]
	_, err := io.ReadFull(br, a.body[begun:])
	return err
}

func (a *httpAnswer) readToClose(br *bufio.Reader, limit int) error {
	for {
		a.body = slices.Grow(a.body, 512)
		n, err := br.Read(a.body[len(a.body):cap(a.body)])
		a.body = a.body[:len(a.body)+n]
		if len(a.body) > limit {
			return tooLarge(limit)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (a *httpAnswer) readChunks(br *bufio.Reader, limits answerLimits) error {
	for lines := 0; ; {
		line, err := chunkLine(br)
		if err != nil {
			return err
		}
		// What isn't body is bounded as well: some bytes a byte of it, and a head's worth.
		if lines += len(line) + len("\r\n"); lines > 8*len(a.body)+limits.head {
			return malformed("chunks with more around them than in them")
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := chunkSizeOf(bytes.TrimRight(size, " \t"), limits.body)
		if err != nil {
			return err
		}
		if n == 0 {
			return skipTrailers(br, limits.head)
		}
		if err := a.readData(br, n, limits.body); err != nil {
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
		return 0, tooLarge(limit)
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
			return &answerError{fmt.Errorf("trailers: %w of %d bytes (Config.MaxAnswerHead)", errHeadTooLarge, limit)}
		}
	}
}

// appendCanonical appends the answer as net/http is to read it: with its fields as they
// came, but for those of the framing, which is a Content-Length.
func (a *httpAnswer) appendCanonical(b []byte) []byte {
	line, rest, _ := bytes.Cut(a.head, []byte("\n"))
	b = append(b, "HTTP/1.1"...)
	b = append(b, line[len("HTTP/1.1"):]...)
	b = append(b, "\r\n"...)
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		name, _, _ := bytes.Cut(line, []byte(":"))
		switch {
		case equalFoldASCII(name, "content-length"), equalFoldASCII(name, "transfer-encoding"),
			equalFoldASCII(name, "connection"), equalFoldASCII(name, "trailer"):
		default:
			b = append(append(b, line...), "\r\n"...)
		}
	}
	if a.isInterim() {
		return append(b, "\r\n"...)
	}
	if a.final {
		b = append(b, "Connection: close\r\n"...)
	}
	if !a.isBodiless() {
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, int64(len(a.body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	return append(b, a.body...)
}

// finalStatus looks for a final answer's status at the beginning of b, past interim
// answers. It returns 0 if the status hasn't come, and 600 for what is no answer.
func finalStatus(b []byte) int {
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
		end := headEnd(b)
		if end < 0 {
			return 0
		}
		b = b[end:]
	}
}

// headEnd is the length of the head at the beginning of b, with its blank line; -1 if it
// hasn't ended.
func headEnd(b []byte) int {
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
