package delivery

import (
	"sync/atomic"

	"github.com/fleetmark/fleetmark/delivery/internal/exchange"
)

// Stats are the counts of what a Client has done since it was made. Over lean, the requests and
// bytes of an exchange are counted when it has ended.
type Stats struct {
	Requests     uint64 // requests sent, whole or in part
	Dials        uint64 // connections opened, or tried to
	Reused       uint64 // requests that went over a kept-alive connection
	BytesWritten uint64 // to connections, before TLS where the transport is lean, after it where it is nethttp
	BytesRead    uint64 // from connections, likewise

	Retries        uint64 // requests of Deliver after one that failed
	RetriesRefused uint64 // those that the retry budget refused
	RetriesLeft    uint64 // what the budget would grant now
	BreakersOpened uint64 // devices whose breaker opened
	Spared         uint64 // operations that an open breaker refused
}

type counters struct {
	exchange.Counters
	retries, refused, spared atomic.Uint64
}

func (c *counters) snapshot() Stats {
	return Stats{
		Requests: c.Requests.Load(), Dials: c.Dials.Load(), Reused: c.Reused.Load(),
		BytesWritten: c.Written.Load(), BytesRead: c.Read.Load(),
		Retries: c.retries.Load(), RetriesRefused: c.refused.Load(), Spared: c.spared.Load(),
	}
}
