package mockfleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// What the control port can do with many devices at once.

func (s *controlServer) getGroups(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, s.fleet.Groups())
}

func (s *controlServer) putGroupFaults(w http.ResponseWriter, r *http.Request) {
	b, ok := readBehavior(w, r)
	if !ok {
		return
	}
	s.done(w, s.fleet.SetGroupFaults(r.PathValue("group"), b))
}

// offlineOrder is the body of PUT /groups/{group}/offline.
type offlineOrder struct {
	Share *Share `json:"share"`
}

// offlineAnswer is the answer to it.
type offlineAnswer struct {
	Offline int `json:"offline"`
}

func (s *controlServer) putOffline(w http.ResponseWriter, r *http.Request) {
	var order offlineOrder
	err := decodeStrictly(http.MaxBytesReader(w, r.Body, controlBodyLimit), &order)
	if err == nil && order.Share == nil {
		err = errors.New(`want {"share": "10%"}, or a number from 0 to 1`)
	}
	if err != nil {
		writeError(w, http.StatusBadRequest, fmt.Errorf("offline: %w", err))
		return
	}
	count, err := s.fleet.SetOffline(r.PathValue("group"), *order.Share)
	if err != nil {
		writeError(w, statusOf(err), err)
		return
	}
	writeJSON(w, http.StatusOK, offlineAnswer{count})
}

func (s *controlServer) postHeal(w http.ResponseWriter, r *http.Request) {
	s.done(w, s.fleet.Heal(r.PathValue("group")))
}

func (s *controlServer) postHealDevice(w http.ResponseWriter, r *http.Request) {
	if i, ok := s.device(w, r); ok {
		s.done(w, s.fleet.HealDevice(i))
	}
}

// query reads what a request asks of the ledger; where that can't be read, it has answered 400.
func (s *controlServer) query(w http.ResponseWriter, r *http.Request) (Query, bool) {
	q, err := ParseQuery(r.URL.Query())
	if err != nil {
		writeError(w, http.StatusBadRequest, err)
		return Query{}, false
	}
	return q, true
}

func (s *controlServer) getSummary(w http.ResponseWriter, r *http.Request) {
	q, ok := s.query(w, r)
	if !ok {
		return
	}
	summary, err := s.fleet.Summarize(q)
	if err != nil {
		writeError(w, statusOf(err), err)
		return
	}
	writeJSON(w, http.StatusOK, summary)
}

// readBehavior reads a request's body; where that is no behaviour, it has answered 400.
func readBehavior(w http.ResponseWriter, r *http.Request) (b Behavior, ok bool) {
	if err := decodeStrictly(http.MaxBytesReader(w, r.Body, controlBodyLimit), &b); err != nil {
		writeError(w, http.StatusBadRequest, fmt.Errorf("behavior: %w", err))
		return b, false
	}
	if err := b.Validate(); err != nil {
		writeError(w, http.StatusBadRequest, err)
		return b, false
	}
	return b, true
}

// done answers a request that has nothing to tell but whether it was done.
func (s *controlServer) done(w http.ResponseWriter, err error) {
	if err != nil {
		writeError(w, statusOf(err), err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// statusOf a failure to change the fleet: 404 for a group that it lacks, 400 for what it can't be told, and
// 507 where it has no room for one more behaviour.
func statusOf(err error) int {
	var bad *ConfigError
	switch {
	case !errors.As(err, &bad):
		return http.StatusInsufficientStorage
	case bad.Field == "group":
		return http.StatusNotFound
	}
	return http.StatusBadRequest
}

// decodeStrictly reads one JSON document without unknown fields and nothing behind it.
func decodeStrictly(r io.Reader, into any) error {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("want one JSON document and nothing behind it")
	}
	return nil
}
