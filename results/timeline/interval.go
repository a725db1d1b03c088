package timeline

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
)

// An Interval is what happened in one interval of a timed repetition. It is a line of
// timeline.jsonl.
type Interval struct {
	Repetition int       `json:"repetition"` // number of the timed repetition, from 1
	Time       time.Time `json:"time"`       // when the interval began, by the wall clock, UTC
	StartNS    int64     `json:"start_ns"`   // when it began, nanoseconds after the repetition's load did
	EndNS      int64     `json:"end_ns"`     // when it ended, nanoseconds after the repetition's load began

	Planned   int64 `json:"planned"`    // operations that became due in the interval; 0 for a load without a plan
	Sent      int64 `json:"sent"`       // operations that began in it
	Succeeded int64 `json:"succeeded"`  // operations that succeeded in it
	Failed    int64 `json:"failed"`     // operations that failed in it
	BrokenOff int64 `json:"broken_off"` // operations that the end of the load broke off in it
	Retries   int64 `json:"retries"`    // attempts after the first, of operations that ended in it

	NotSent  int64 `json:"not_sent"`  // operations that were due by its end and not sent by then
	InFlight int64 `json:"in_flight"` // operations that ran at its end

	// Classes counts the failed operations by the class of their error. It is nil if none failed.
	Classes map[string]int64 `json:"failed_by_class,omitempty"`

	// Bytes is what the client wrote and read in the interval. It is nil if the client doesn't count
	// bytes.
	Bytes *Bytes `json:"bytes,omitempty"`

	Wave int `json:"wave,omitempty"` // number of the rollout's wave that ran at its end, from 1; none for other loads

	// Operations holds the times of the operations that succeeded in the interval. An operation that
	// has none is left out.
	Operations []Operation `json:"operations,omitempty"`
}

// Bytes counts bytes on the wire.
type Bytes struct {
	Written int64 `json:"written"` // bytes that the client wrote
	Read    int64 `json:"read"`    // bytes that it read
}

// An Operation holds the times of the successes of one operation in an interval.
type Operation struct {
	Op    string `json:"op"`    // deliver, push or verify
	Count int64  `json:"count"` // how many succeeded

	Response Times `json:"response"` // from when operations were planned, if they were, or else sent

	// Service counts from when operations were sent. It is nil for a load without a plan, whose
	// service times are its response times.
	Service *Times `json:"service,omitempty"`
}

// Times summarizes the times of operations, in nanoseconds.
type Times struct {
	P50NS int64 `json:"p50_ns"` // median
	P90NS int64 `json:"p90_ns"` // 90th percentile
	P99NS int64 `json:"p99_ns"` // 99th percentile
	MaxNS int64 `json:"max_ns"` // longest
}

// Start returns when the interval began, after the start of its repetition's load.
func (v *Interval) Start() time.Duration { return time.Duration(v.StartNS) }

// End returns when the interval ended, after the start of its repetition's load.
func (v *Interval) End() time.Duration { return time.Duration(v.EndNS) }

// Of returns the times of an operation. It reports false if none of them succeeded.
func (v *Interval) Of(op string) (Operation, bool) {
	i := slices.IndexFunc(v.Operations, func(o Operation) bool { return o.Op == op })
	if i < 0 {
		return Operation{}, false
	}
	return v.Operations[i], true
}

// AppendLine appends the interval to dst as a line of timeline.jsonl and returns the extended
// buffer. It is what [json.Marshal] returns, and a line feed. It allocates nothing if dst has room
// and no operation failed, since a run calls it while its own allocations are counted.
func (v *Interval) AppendLine(dst []byte) []byte {
	dst = appendInt(dst, `{"repetition":`, int64(v.Repetition))
	dst = append(dst, `,"time":"`...)
	dst = v.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, '"')
	for _, f := range [...]struct {
		key string
		n   int64
	}{
		{`,"start_ns":`, v.StartNS},
		{`,"end_ns":`, v.EndNS},
		{`,"planned":`, v.Planned},
		{`,"sent":`, v.Sent},
		{`,"succeeded":`, v.Succeeded},
		{`,"failed":`, v.Failed},
		{`,"broken_off":`, v.BrokenOff},
		{`,"retries":`, v.Retries},
		{`,"not_sent":`, v.NotSent},
		{`,"in_flight":`, v.InFlight},
	} {
		dst = appendInt(dst, f.key, f.n)
	}
	if len(v.Classes) > 0 {
		dst = append(dst, `,"failed_by_class":{`...)
		for i, class := range slices.Sorted(maps.Keys(v.Classes)) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendText(dst, class), ':')
			dst = strconv.AppendInt(dst, v.Classes[class], 10)
		}
		dst = append(dst, '}')
	}
	if v.Bytes != nil {
		dst = appendInt(dst, `,"bytes":{"written":`, v.Bytes.Written)
		dst = append(appendInt(dst, `,"read":`, v.Bytes.Read), '}')
	}
	if v.Wave != 0 {
		dst = appendInt(dst, `,"wave":`, int64(v.Wave))
	}
	for i := range v.Operations {
		if i == 0 {
			dst = append(dst, `,"operations":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = v.Operations[i].append(dst)
	}
	if len(v.Operations) > 0 {
		dst = append(dst, ']')
	}
	return append(dst, "}\n"...)
}

func (o *Operation) append(dst []byte) []byte {
	dst = append(dst, `{"op":`...)
	dst = appendText(dst, o.Op)
	dst = appendInt(dst, `,"count":`, o.Count)
	dst = o.Response.append(dst, `,"response":{`)
	if o.Service != nil {
		dst = o.Service.append(dst, `,"service":{`)
	}
	return append(dst, '}')
}

func (t *Times) append(dst []byte, key string) []byte {
	dst = append(dst, key...)
	dst = appendInt(dst, `"p50_ns":`, t.P50NS)
	dst = appendInt(dst, `,"p90_ns":`, t.P90NS)
	dst = appendInt(dst, `,"p99_ns":`, t.P99NS)
	return append(appendInt(dst, `,"max_ns":`, t.MaxNS), '}')
}

func appendInt(dst []byte, key string, n int64) []byte {
	return strconv.AppendInt(append(dst, key...), n, 10)
}

// appendText appends s as a JSON string.
func appendText(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, err := json.Marshal(s)
			if err != nil { // no string makes Marshal fail
				panic("timeline: " + err.Error())
			}
			return append(dst, text...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
