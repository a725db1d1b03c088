package process

import (
	"bytes"
	_ "embed" // the schema
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/jsonscan"
)

// Protocol is the version of the protocol.
const Protocol = 1

// maxLine is the length of the longest line that a process may write, with its end.
const maxLine = 64 << 10

//go:embed process.schema.json
var schema string

// Schema returns the JSON Schema (draft 2020-12) of the lines of the protocol. Its definitions
// driver-hello and request are of lines that a process reads, hello and answer of lines that it
// writes.
func Schema() string { return schema }

// The classes of operations that failed because of their process, whatever the devices did.
const (
	ClassDied     = "client-died"     // the process ended, or was killed because of another operation
	ClassHung     = "client-hung"     // the process didn't answer in time
	ClassNonsense = "client-protocol" // the process answered something that the protocol doesn't allow
)

// An Error is the error of an operation that failed.
type Error struct {
	class, message string
	status         int
	cause          error
	unanswered     bool // the process ended before it answered
}

// Error returns the message of the process, or what is known of its end.
func (e *Error) Error() string {
	if e.message == "" {
		return e.class
	}
	return e.message
}

// Class returns the error's class. It implements [client.Classifier].
func (e *Error) Class() string { return e.class }

// StatusCode returns the HTTP status of the device's answer, or 0 if there is none.
func (e *Error) StatusCode() int { return e.status }

// Uncounted reports whether the process may have sent requests of which it said nothing, because it
// ended before it answered.
func (e *Error) Uncounted() bool { return e.unanswered }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// An abandonedError is the error of an operation whose context ended before the process answered.
type abandonedError struct{ error }

// Uncounted implements what [Error.Uncounted] does.
func (abandonedError) Uncounted() bool { return true }

// Unwrap returns the context's error.
func (e abandonedError) Unwrap() error { return e.error }

// driverHello is the first line that a process reads.
type driverHello struct {
	Protocol    int                 `json:"protocol"`
	Process     int                 `json:"process"` // its number, from 0
	Processes   int                 `json:"processes"`
	Concurrency int                 `json:"concurrency"`
	Workers     int                 `json:"workers"`
	CAFile      string              `json:"ca_file,omitempty"`
	Headers     map[string][]string `json:"headers,omitempty"`

	DialTimeout   int64 `json:"dial_timeout_ms,omitempty"`
	AnswerTimeout int64 `json:"answer_timeout_ms,omitempty"`
	TotalTimeout  int64 `json:"total_timeout_ms,omitempty"`
	MaxAttempts   int   `json:"max_attempts,omitempty"`
	GoodReads     int   `json:"good_reads,omitempty"`
	MaxIdle       int   `json:"max_idle,omitempty"`

	// Seed differs between processes. It is below 2^53, which every language's numbers hold.
	Seed uint64 `json:"seed"`
}

// helloLine returns the first line for process i.
func (c Config) helloLine(i int) ([]byte, error) {
	line, err := json.Marshal(driverHello{
		Protocol: Protocol, Process: i, Processes: c.Processes, Concurrency: c.Concurrency, Workers: c.Workers,
		CAFile: c.CAFile, Headers: c.Header,
		DialTimeout: c.DialTimeout.Milliseconds(), AnswerTimeout: c.AnswerTimeout.Milliseconds(),
		TotalTimeout: c.TotalTimeout.Milliseconds(), MaxAttempts: c.MaxAttempts, GoodReads: c.GoodReads, MaxIdle: c.MaxIdle,
		Seed: (c.Seed + uint64(i)) & (1<<53 - 1),
	})
	return append(line, '\n'), err
}

// A Hello is what a process says of itself in its first line.
type Hello struct {
	Protocol   int      `json:"protocol"`
	Version    string   `json:"version"`    // of the program; may be empty
	Operations []string `json:"operations"` // that it can do; nil: all
}

// delivers reports whether the process can deliver by itself.
func (h Hello) delivers() bool {
	return h.Operations == nil || slices.Contains(h.Operations, string(delivery.OpDeliver))
}

const helloSyntax = `want a first line such as {"protocol":1} on standard output`

// parseHello parses the first line of a process. The error quotes nothing of it.
func parseHello(line []byte) (h Hello, err error) {
	if err := json.Unmarshal(line, &h); err != nil {
		return h, errors.New("isn't a hello: " + helloSyntax)
	}
	switch {
	case h.Protocol == 0:
		return h, errors.New("has no protocol: " + helloSyntax)
	case h.Protocol != Protocol:
		return h, fmt.Errorf("is of protocol %d: want %d", h.Protocol, Protocol)
	case len(h.Version) > 128 || !isPrintable(h.Version):
		return h, errors.New("has a version that is too long or can't be printed: want 128 bytes of text at most")
	}
	for _, op := range h.Operations {
		if op != string(delivery.OpPush) && op != string(delivery.OpVerify) && op != string(delivery.OpDeliver) {
			return h, errors.New("names an unknown operation: want push, verify and deliver, or no operations")
		}
	}
	may := func(op delivery.Op) bool { return slices.Contains(h.Operations, string(op)) }
	if !h.delivers() && !(may(delivery.OpPush) && may(delivery.OpVerify)) {
		return h, errors.New("has too few operations: want push and verify, deliver, or all three")
	}
	return h, nil
}

func isPrintable(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return false
		}
	}
	return true
}

// isClass reports whether s is 1 to 64 lower-case letters, digits and dashes.
func isClass(s string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return len(s) > 0 && len(s) <= 64
}

// updateText is the part of a request that is the same for all requests of an update.
type updateText struct {
	update *delivery.Update
	text   []byte
}

// updateText returns the text of an update.
func (p *Pool) updateText(u *delivery.Update) ([]byte, error) {
	if t := p.text.Load(); t != nil && t.update == u {
		return t.text, nil
	}
	a := u.Artifact()
	if a != p.cfg.Artifact {
		return nil, errors.New("the update has another artifact than the client was started with")
	}
	t := &updateText{update: u, text: []byte(`,"version":`)}
	t.text = appendString(t.text, u.Version())
	t.text = append(t.text, `,"artifact":{"path":`...)
	t.text = appendString(t.text, p.cfg.ArtifactFile)
	t.text = append(t.text, `,"size":`...)
	t.text = strconv.AppendInt(t.text, a.Size(), 10)
	t.text = append(t.text, `,"sha256":"`+a.DigestHex()+`"}`...)
	p.text.Store(t)
	return t.text, nil
}

// appendRequest appends the line that asks for an operation.
func appendRequest(b []byte, id int64, op delivery.Op, d delivery.Device, update []byte, limit time.Duration) []byte {
	b = append(b, `{"id":`...)
	b = strconv.AppendInt(b, id, 10)
	b = append(b, `,"operation":"`...)
	b = append(b, op...)
	b = append(b, `","device":{`...)
	if d.ID != "" {
		b = append(b, `"id":`...)
		b = appendString(b, d.ID)
		b = append(b, ',')
	}
	b = append(b, `"address":`...)
	b = appendString(b, d.Address)
	b = append(b, '}')
	b = append(b, update...)
	b = append(b, `,"deadline_ms":`...)
	b = strconv.AppendInt(b, max(1, limit.Milliseconds()), 10)
	return append(b, "}\n"...)
}

// appendString appends a string as JSON.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			text, _ := json.Marshal(s) // a string is always encoded
			return append(b, text...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// An optional is a number that a process may leave out.
type optional struct {
	n     int64
	given bool
}

// or returns the number, or n if it was left out.
func (o optional) or(n int64) int64 {
	if o.given {
		return o.n
	}
	return n
}

// An answer is a line that ends an operation.
type answer struct {
	id                       int64
	failed                   *Error // nil if the operation succeeded
	pushNS, verifyNS         optional
	pushes, verifies         optional
	bytesSent, bytesReceived optional
}

// Bounds of answers.
const (
	maxRequests = 1_000_000 // of a kind, in one operation
	maxPhase    = 24 * time.Hour
	maxBytes    = 1 << 60
	maxMessage  = 500 // characters that are kept of an error
)

// parseAnswer parses the answer to an operation. An answer to an operation that succeeded is parsed
// without allocating, if it is written as programs usually write it.
func parseAnswer(line []byte) (answer, error) {
	a, ok := scanAnswer(line)
	if !ok {
		var err error
		if a, err = decodeAnswer(line); err != nil {
			return a, err
		}
	}
	for _, n := range [...]struct {
		optional
		name string
		max  int64
	}{
		{a.pushNS, "push_ns", int64(maxPhase)}, {a.verifyNS, "verify_ns", int64(maxPhase)},
		{a.pushes, "pushes", maxRequests}, {a.verifies, "verifies", maxRequests},
		{a.bytesSent, "bytes_sent", maxBytes}, {a.bytesReceived, "bytes_received", maxBytes},
	} {
		if n.n < 0 || n.n > n.max {
			return a, fmt.Errorf("%s: %d: want 0 to %d", n.name, n.n, n.max)
		}
	}
	return a, nil
}

// number returns where the number of that name is kept, or nil if there is no such number.
func (a *answer) number(name []byte) *optional {
	switch string(name) {
	case "push_ns":
		return &a.pushNS
	case "verify_ns":
		return &a.verifyNS
	case "pushes":
		return &a.pushes
	case "verifies":
		return &a.verifies
	case "bytes_sent":
		return &a.bytesSent
	case "bytes_received":
		return &a.bytesReceived
	}
	return nil
}

// scanAnswer parses the answer to an operation that succeeded. It reports false for any other
// answer, and for one that is written in an unusual way.
func scanAnswer(line []byte) (a answer, ok bool) {
	s := jsonscan.New(line)
	var hasID, succeeded bool
	ok = s.Object(func(name []byte) (ok bool) {
		switch string(name) {
		case "id":
			a.id, hasID = s.Number()
			return hasID
		case "ok":
			succeeded, ok = s.Bool()
			return ok && succeeded
		}
		if n := a.number(name); n != nil {
			n.n, n.given = s.Number()
			return n.given
		}
		return false
	})
	return a, ok && hasID && succeeded && s.End()
}

// decodeAnswer parses any answer.
func decodeAnswer(line []byte) (a answer, err error) {
	var all struct {
		ID    *int64 `json:"id"`
		OK    *bool  `json:"ok"`
		Error *struct {
			Class   string `json:"class"`
			Message string `json:"message"`
			Status  int    `json:"status"`
		} `json:"error"`
		PushNS        *int64 `json:"push_ns"`
		VerifyNS      *int64 `json:"verify_ns"`
		Pushes        *int64 `json:"pushes"`
		Verifies      *int64 `json:"verifies"`
		BytesSent     *int64 `json:"bytes_sent"`
		BytesReceived *int64 `json:"bytes_received"`
	}
	if err := json.Unmarshal(line, &all); err != nil {
		if !json.Valid(bytes.TrimSpace(line)) {
			return a, errors.New("isn't JSON: whatever isn't an answer belongs on standard error")
		}
		return a, errors.New(`isn't an answer: want one such as {"id":1,"ok":true}`)
	}
	if all.ID == nil {
		return a, errors.New("has no id: want that of the operation")
	}
	a.id = *all.ID
	switch ok := all.OK != nil && *all.OK; {
	case ok && all.Error != nil:
		return a, errors.New("says ok and has an error: want one of them")
	case ok:
	case all.Error == nil:
		return a, errors.New(`says neither "ok":true nor an error: want one of them`)
	default:
		e := all.Error
		if a.failed = (&Error{class: e.Class, message: e.Message, status: e.Status}); e.Class == "" {
			a.failed.class = delivery.ClassUnknown.String()
		}
		if !isClass(a.failed.class) {
			return a, errors.New("has an error of a class that isn't a word: want 1 to 64 lower-case letters, digits and dashes")
		}
		if e.Status != 0 && (e.Status < 100 || e.Status > 599) {
			return a, fmt.Errorf("has an error with status %d: want 100 to 599, or none", e.Status)
		}
	}
	for _, n := range []struct {
		to   *optional
		from *int64
	}{
		{&a.pushNS, all.PushNS}, {&a.verifyNS, all.VerifyNS}, {&a.pushes, all.Pushes}, {&a.verifies, all.Verifies},
		{&a.bytesSent, all.BytesSent}, {&a.bytesReceived, all.BytesReceived},
	} {
		if n.from != nil {
			*n.to = optional{*n.from, true}
		}
	}
	return a, nil
}
