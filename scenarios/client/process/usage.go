package process

import (
	"sync/atomic"
	"time"

	"github.com/fleetmark/fleetmark/internal/osinfo"
)

// Usage is what the processes of a pool have used since the pool was started. On systems other than
// Linux it isn't known.
type Usage struct {
	Known bool

	// CPU is their user and system time, with that of processes that have ended and that were waited
	// for.
	CPU time.Duration

	// PeakResident is the sum of the largest resident memory of each since [Pool.ResetPeak], in bytes.
	// Memory that they share counts for each, and that of processes that they started isn't counted.
	PeakResident uint64

	Processes []int // the ids of those that run
}

// Usage returns what the processes have used.
func (p *Pool) Usage() Usage {
	u := Usage{Known: true}
	for _, s := range p.seats {
		if !s.usage(&u) {
			u.Known = false
		}
	}
	return u
}

// ResetPeak makes the largest resident memory of each process the present one.
func (p *Pool) ResetPeak() {
	for _, pid := range p.Usage().Processes {
		osinfo.ResetPeakResidentOf(pid)
	}
}

// Troubles say how often processes failed rather than devices.
type Troubles struct {
	Program string // its name in messages

	Died, Hung, Nonsense int64 // operations that failed because of that
	Restarts             int   // processes that took the place of others
	GaveUp               bool  // so many that no more were started

	Last string // what was wrong the last time, with the last line on standard error; empty: nothing
}

// Operations returns how many operations failed because of a process.
func (t Troubles) Operations() int64 { return t.Died + t.Hung + t.Nonsense }

// Troubles returns what was wrong with the processes until now.
func (p *Pool) Troubles() Troubles {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.troubles
	t.Program = p.program
	return t
}

// trouble records why n operations failed.
func (p *Pool) trouble(class string, n int64, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.troubles.Last = message
	switch class {
	case ClassHung:
		p.troubles.Hung += n
	case ClassNonsense:
		p.troubles.Nonsense += n
	default:
		p.troubles.Died += n
	}
}

// Said is what the processes say that they have transferred. Operations that said nothing of it
// don't count.
type Said struct{ Operations, BytesSent, BytesReceived int64 }

// Said returns what the processes have said until now.
func (p *Pool) Said() Said {
	return Said{p.said.operations.Load(), p.said.sent.Load(), p.said.received.Load()}
}

// said adds up what processes say.
type said struct{ operations, sent, received atomic.Int64 }

func (s *said) add(a *answer) {
	if a.bytesSent.given || a.bytesReceived.given {
		s.operations.Add(1)
		s.sent.Add(a.bytesSent.n)
		s.received.Add(a.bytesReceived.n)
	}
}
