package mockfleet

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// LeaseFor is how long a lease lasts unless its holder renews it.
const LeaseFor = 30 * time.Second

// headerLease is the header field with the lease of a driver that resets the fleet.
const headerLease = "X-Fleet-Lease"

// maxHolder bounds the holder's name, in bytes.
const maxHolder = 128

// LeaseError is the error of a driver that may not reset the fleet, because another driver has the
// lease.
type LeaseError struct {
	Holder string        // the name that the other driver gave
	For    time.Duration // how long the lease lasts unless it is renewed
}

func (e *LeaseError) Error() string {
	const form = "the fleet is driven by %q, whose lease lasts %v more unless it is renewed"
	return fmt.Sprintf(form, e.Holder, e.For.Round(time.Second))
}

// lease makes one driver the only one that may reset the fleet, and so empty its ledger. It
// restricts nothing else. While no driver has the lease, every driver may reset.
type lease struct {
	now func() time.Time

	mu     sync.Mutex
	id     string // empty if nobody has it
	holder string
	until  time.Time
}

// take gives the lease to holder, or renews it if id is that of the lease. It returns the id of the
// lease. The error is a *LeaseError if another driver has the lease.
func (l *lease) take(holder, id string) (string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.refuse(id); err != nil {
		return "", err
	}
	if id == "" {
		var drawn [16]byte
		if _, err := rand.Read(drawn[:]); err != nil {
			return "", err
		}
		id = hex.EncodeToString(drawn[:])
	}
	l.id, l.holder, l.until = id, holder, l.now().Add(LeaseFor)
	return id, nil
}

// refuse returns a *LeaseError if a driver other than the one with id has the lease. l.mu is held.
func (l *lease) refuse(id string) error {
	if left := l.until.Sub(l.now()); l.id != "" && l.id != id && left > 0 {
		return &LeaseError{l.holder, left}
	}
	return nil
}

// check returns a *LeaseError if the driver with id may not reset the fleet.
func (l *lease) check(id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refuse(id)
}

// release ends the lease, if it is the one that id names.
func (l *lease) release(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.id == id {
		l.id, l.holder, l.until = "", "", time.Time{}
	}
}

// leaseOrder is the body of POST /lease. Lease is the id of the lease to renew, or "" for a new
// one.
type leaseOrder struct {
	Holder string `json:"holder"`
	Lease  string `json:"lease,omitempty"`
}

// leaseAnswer is the body of the answer to POST /lease.
type leaseAnswer struct {
	Lease string  `json:"lease"`
	Lasts float64 `json:"lasts_seconds"`
}

// serveLease hands the lease out, renews it and takes it back.
func (s *controlServer) serveLease(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodDelete:
		s.fleet.lease.release(r.Header.Get(headerLease))
		w.WriteHeader(http.StatusNoContent)
		return
	case http.MethodPost:
	default:
		w.Header().Set("Allow", "POST, DELETE")
		writeError(w, http.StatusMethodNotAllowed, fmt.Errorf("want POST or DELETE %s", r.URL.Path))
		return
	}
	var order leaseOrder
	if err := decodeStrictly(http.MaxBytesReader(w, r.Body, controlBodyLimit), &order); err != nil {
		writeError(w, http.StatusBadRequest, fmt.Errorf("lease: %w", err))
		return
	}
	if order.Holder == "" || len(order.Holder) > maxHolder || field.HasControl([]byte(order.Holder)) {
		writeError(w, http.StatusBadRequest,
			fmt.Errorf("holder: want 1 to %d bytes that say who drives, without control characters", maxHolder))
		return
	}
	id, err := s.fleet.lease.take(order.Holder, order.Lease)
	if err != nil {
		writeError(w, http.StatusConflict, err)
		return
	}
	writeJSON(w, http.StatusOK, leaseAnswer{id, LeaseFor.Seconds()})
}
