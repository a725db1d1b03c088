package delivery

import (
	"time"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// Timeline is when the phases of one request ended: the operation's request, or one of
// several where a redirect was followed. A phase that didn't happen has the zero time:
// a kept-alive connection is neither connected nor secured, and a request that failed
// has nothing after its failure. Times are monotonic within one Timeline.
type Timeline struct {
	Op     Op
	Device string // as in Error
	Status int    // HTTP status, 0 if there was no answer
	Err    error  // the transport's failure; nil if there was an answer, whatever it says
	Reused bool   // the connection was kept alive

	Begun     time.Time // prepare: from here on the request is made ready
	Prepared  time.Time // connect: from here on it waits for a connection
	Connected time.Time // TLS: a new connection stands, as far as TCP is concerned
	Secured   time.Time // the handshake of TLS is done
	Ready     time.Time // write: from here on the request is written
	Written   time.Time // wait: it was handed to the system to its last byte
	Answered  time.Time // read: the answer's first byte came
	Ended     time.Time // it was read to its end, or the request failed
}

// setTimes copies the times that the transport recorded.
func (l *Timeline) setTimes(t exchange.Times) {
	l.Reused = t.Reused
	l.Prepared, l.Connected, l.Secured = t.At[exchange.Prepared], t.At[exchange.Connected], t.At[exchange.Secured]
	l.Ready, l.Written, l.Answered = t.At[exchange.GotConn], t.At[exchange.Written], t.At[exchange.Answered]
}
