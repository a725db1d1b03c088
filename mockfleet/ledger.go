package mockfleet

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/internal/wire"
)

// Entry is what the fleet witnessed of one device since the start or the last Reset. At every moment,
//
//	Pushes = Applied + Repeats + Rejected + Feigned + Unfit + Broken + (1 if an update is under way)
type Entry struct {
	Device int    `json:"device"`
	ID     string `json:"id"`
	Group  string `json:"group,omitempty"` // empty where the fleet has no groups

	Pushes       uint32 `json:"pushes"`        // updates received, whole or broken off
	Applied      uint32 `json:"applied"`       // updates installed
	AppliedTwice uint32 `json:"applied_twice"` // of those, installs of the version and digest that it ran already
	Repeats      uint32 `json:"repeats"`       // acknowledged as a repeat of the update that it runs, without installing
	Rejected     uint32 `json:"rejected"`      // answered 3xx, 4xx or 5xx, and not applied
	Faulted      uint32 `json:"faulted"`       // of those, the ones that its behaviour made fail
	Feigned      uint32 `json:"feigned"`       // acknowledged and not applied: the fault ok-but-not-applied
	Unfit        uint32 `json:"unfit"`         // taken, and then not to be installed: the fault failed-install
	Broken       uint32 `json:"broken"`        // broken off before the last byte
	Verifies     uint32 `json:"verifies"`      // looks at the version
	Misaddressed uint32 `json:"misaddressed"`  // pushes whose X-Device-ID named another device; treated like any other

	TurnedAway uint32            `json:"turned_away"`      // connections beyond those that its behaviour lets it have
	Struck     uint32            `json:"struck"`           // connections that a fault ended unanswered: as they were accepted (in path addressing, as their first request came), or used again
	Faults     map[string]uint32 `json:"faults,omitempty"` // how often each kind of fault struck; nil is never

	BytesReceived uint64     `json:"bytes_received"` // of artifacts, broken off ones included
	Version       string     `json:"version"`
	Digest        string     `json:"digest"`     // SHA-256 in lower-case hex; empty before the first update
	State         wire.State `json:"state"`      // as the device tells it
	Stage         Stage      `json:"stage"`      // as the fleet knows it
	UpdatedAt     string     `json:"updated_at"` // RFC 3339, UTC, whole seconds; empty before the first update
}

// Ledger yields an entry for every device that received anything, in order of index. Each entry is
// consistent in itself; devices go on while it is read. Stop them first for one consistent whole.
func (f *Fleet) Ledger() iter.Seq[Entry] {
	entries, _ := f.Find(Query{}) // which has nothing that could be wrong
	return entries
}

// DeviceStatus is one device as the control port tells of it.
type DeviceStatus struct {
	Entry
	Address  string   `json:"address"`
	Attempts uint32   `json:"attempts"` // updates that its behaviour has decided about
	Behavior Behavior `json:"behavior"`
}

// Device tells of device i, whether it received anything or not.
func (f *Fleet) Device(i int) (DeviceStatus, error) {
	if err := f.checkDevice(i); err != nil {
		return DeviceStatus{}, err
	}
	d, version, t := f.store.witness(i)
	return DeviceStatus{
		Entry:    f.newEntry(i, &d, version, &t, &ledgerTexts{}),
		Address:  f.DeviceAddress(i),
		Attempts: d.attempts,
		Behavior: f.store.behaviors.at(d.behavior).Behavior,
	}, nil
}

func (f *Fleet) newEntry(i int, d *device, version string, t *tally, texts *ledgerTexts) Entry {
	e := Entry{
		Device:        i,
		ID:            DeviceID(i),
		Pushes:        d.pushes,
		Applied:       d.applied,
		AppliedTwice:  d.twice,
		Repeats:       d.repeats,
		Rejected:      d.rejected,
		Faulted:       d.faulted,
		Feigned:       t.feigned,
		Unfit:         t.unfit,
		Broken:        d.broken,
		Verifies:      d.verifies,
		Misaddressed:  d.strays,
		TurnedAway:    t.turnedAway,
		Struck:        t.struck,
		BytesReceived: d.bytes,
		Version:       version,
		State:         d.state(),
		Stage:         d.stage(),
	}
	if p := f.store.population; p.divided() {
		e.Group = p.groups[p.of(i)].Name
	}
	e.Digest, e.UpdatedAt = texts.of(d)
	for _, c := range t.counts {
		if e.Faults == nil {
			e.Faults = make(map[string]uint32, len(t.counts))
		}
		e.Faults[f.kinds[c.kind]] = c.times
	}
	return e
}

// ledgerTexts keeps what the entry before said of its update: in a rollout nearly all devices have the
// same, and a million times the same text would be most of what a ledger takes to read.
type ledgerTexts struct {
	has       bool // of an update
	digest    [32]byte
	updatedAt uint32

	digestText, updatedAtText string
}

// of gives the digest and the time of d's update, empty before the first.
func (t *ledgerTexts) of(d *device) (digest, updatedAt string) {
	if d.flags&flagUpdated == 0 {
		return "", ""
	}
	if !t.has || t.digest != d.digest {
		t.digest, t.digestText = d.digest, hex.EncodeToString(d.digest[:])
	}
	if !t.has || t.updatedAt != d.updatedAt {
		t.updatedAt, t.updatedAtText = d.updatedAt, string(d.appendUpdatedAt(nil))
	}
	t.has = true
	return t.digestText, t.updatedAtText
}

// Query says which entries of the ledger are wanted. The zero value wants those of every device that
// received anything; each field that is set leaves out what doesn't agree with it.
type Query struct {
	Group   string // devices of this group
	Stage   Stage  // devices in this stage
	Fault   string // devices that this kind of fault struck
	Version string // devices that run this version
	Has     string // devices of which this count, by its name in JSON such as "applied_twice", is above 0
	Lacks   string // devices of which it is 0
	From    int    // devices from this index on
	To      int    // devices below this index; 0 is to the last
	Limit   int    // so many entries at most; 0 is all
	All     bool   // also devices that received nothing
}

// counts are the counts of an entry, by their names in JSON, but for the bytes.
func (e *Entry) counts() [13]counter {
	return [...]counter{
		{"pushes", &e.Pushes}, {"applied", &e.Applied}, {"applied_twice", &e.AppliedTwice}, {"repeats", &e.Repeats},
		{"rejected", &e.Rejected}, {"faulted", &e.Faulted}, {"feigned", &e.Feigned}, {"unfit", &e.Unfit}, {"broken", &e.Broken},
		{"verifies", &e.Verifies}, {"misaddressed", &e.Misaddressed}, {"turned_away", &e.TurnedAway}, {"struck", &e.Struck},
	}
}

// counter is a count of an entry.
type counter struct {
	name  string
	count *uint32
}

// bytesReceived is the name of an entry's other count.
const bytesReceived = "bytes_received"

// count is the one of that name; 0 where none has it.
func (e *Entry) count(name string) uint64 {
	for _, c := range e.counts() {
		if c.name == name {
			return uint64(*c.count)
		}
	}
	if name == bytesReceived {
		return e.BytesReceived
	}
	return 0
}

// validate reports what of q makes no sense for fleet f, each as a *ConfigError.
func (q Query) validate(f *Fleet) error {
	bad := func(field, value, want string) error { return &ConfigError{Field: field, Value: value, Want: want} }
	if q.Group != "" {
		if _, _, err := f.store.population.named(q.Group); err != nil {
			return err
		}
	}
	if q.Stage != "" && !q.Stage.known() {
		return bad("stage", strconv.Quote(string(q.Stage)), fmt.Sprintf("one of %v", Stages()))
	}
	if q.Fault != "" && !slices.Contains(f.kinds, q.Fault) {
		return bad("fault", strconv.Quote(q.Fault), "one of "+strings.Join(f.kinds, ", "))
	}
	var names []string
	for _, c := range new(Entry).counts() {
		names = append(names, c.name)
	}
	names = append(names, bytesReceived)
	for _, asked := range [][2]string{{"has", q.Has}, {"lacks", q.Lacks}} {
		if asked[1] != "" && !slices.Contains(names, asked[1]) {
			return bad(asked[0], strconv.Quote(asked[1]), "one of "+strings.Join(names, ", "))
		}
	}
	for _, n := range []struct {
		field string
		value int
	}{{"from", q.From}, {"to", q.To}, {"limit", q.Limit}} {
		if n.value < 0 {
			return bad(n.field, strconv.Itoa(n.value), "0 or more")
		}
	}
	return nil
}

// Find yields the entries that q wants, in order of index. Each entry is consistent in itself; devices go
// on while it is read. The error is a *ConfigError, before anything is yielded.
func (f *Fleet) Find(q Query) (iter.Seq[Entry], error) {
	if err := q.validate(f); err != nil {
		return nil, err
	}
	p, group, all := f.store.population, 0, true
	if q.Group != "" {
		group, all, _ = p.named(q.Group) // validate has seen to it
	}
	end := f.Devices()
	if q.To > 0 {
		end = min(end, q.To)
	}
	return func(yield func(Entry) bool) {
		left := q.Limit
		var texts ledgerTexts
		for i := q.From; i < end; i++ {
			if !all && p.of(i) != group {
				continue
			}
			d, version, t := f.store.witness(i)
			if !q.All && !d.touched() {
				continue
			}
			e := f.newEntry(i, &d, version, &t, &texts)
			if !q.wants(&e) {
				continue
			}
			if !yield(e) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}, nil
}

// wants tells whether an entry agrees with what q asks of it.
func (q *Query) wants(e *Entry) bool {
	return (q.Stage == "" || e.Stage == q.Stage) && (q.Version == "" || e.Version == q.Version) &&
		(q.Fault == "" || e.Faults[q.Fault] > 0) && (q.Has == "" || e.count(q.Has) > 0) && (q.Lacks == "" || e.count(q.Lacks) == 0)
}

// Values is q as the query of a URL, as the control port takes it.
func (q Query) Values() url.Values {
	v := url.Values{}
	for _, f := range q.texts() {
		if f.value != "" {
			v.Set(f.name, f.value)
		}
	}
	return v
}

func (q Query) texts() []struct{ name, value string } {
	number := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	all := ""
	if q.All {
		all = "true"
	}
	return []struct{ name, value string }{
		{"group", q.Group}, {"stage", string(q.Stage)}, {"fault", q.Fault}, {"version", q.Version}, {"has", q.Has},
		{"lacks", q.Lacks}, {"from", number(q.From)}, {"to", number(q.To)}, {"limit", number(q.Limit)}, {"all", all},
	}
}

// ParseQuery reads what Values has written. The error is a *ConfigError.
func ParseQuery(v url.Values) (q Query, err error) {
	var names []string
	for _, f := range q.texts() {
		names = append(names, f.name)
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(names, name) {
			return Query{}, &ConfigError{Field: "query", Value: strconv.Quote(name), Want: "one of " + strings.Join(names, ", ")}
		}
		if len(v[name]) > 1 {
			return Query{}, &ConfigError{Field: name, Value: fmt.Sprint(len(v[name])) + " times", Want: "it once"}
		}
	}
	q = Query{
		Group: v.Get("group"), Stage: Stage(v.Get("stage")), Fault: v.Get("fault"), Version: v.Get("version"),
		Has: v.Get("has"), Lacks: v.Get("lacks"),
	}
	for _, n := range []struct {
		name string
		into *int
	}{{"from", &q.From}, {"to", &q.To}, {"limit", &q.Limit}} {
		if text := v.Get(n.name); text != "" {
			if *n.into, err = strconv.Atoi(text); err != nil {
				return Query{}, &ConfigError{Field: n.name, Value: strconv.Quote(text), Want: "a whole number"}
			}
		}
	}
	if text := v.Get("all"); text != "" {
		if q.All, err = strconv.ParseBool(text); err != nil {
			return Query{}, &ConfigError{Field: "all", Value: strconv.Quote(text), Want: "true or false"}
		}
	}
	return q, nil
}

// Summary adds up entries of the ledger.
type Summary struct {
	Devices  uint64            `json:"devices"`  // how many entries there are
	Counts   map[string]uint64 `json:"counts"`   // the sums of their counts, by name
	Stages   map[Stage]uint64  `json:"stages"`   // how many of the devices are in each stage
	Faults   map[string]uint64 `json:"faults"`   // how often each kind of fault struck
	Versions map[string]uint64 `json:"versions"` // how many of the devices run each version: the 100 that most do
}

const summaryVersions = 100

// Summarize adds up the entries that q wants.
func (f *Fleet) Summarize(q Query) (Summary, error) {
	entries, err := f.Find(q)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{Counts: map[string]uint64{}, Stages: map[Stage]uint64{}, Faults: map[string]uint64{}, Versions: map[string]uint64{}}
	for e := range entries {
		s.Devices++
		for _, c := range e.counts() {
			s.Counts[c.name] += uint64(*c.count)
		}
		s.Counts[bytesReceived] += e.BytesReceived
		for kind, times := range e.Faults {
			s.Faults[kind] += uint64(times)
		}
		s.Stages[e.Stage]++
		s.Versions[e.Version]++
	}
	if len(s.Versions) > summaryVersions {
		names := slices.SortedFunc(maps.Keys(s.Versions), func(a, b string) int {
			return cmp.Or(cmp.Compare(s.Versions[b], s.Versions[a]), cmp.Compare(a, b))
		})
		for _, name := range names[summaryVersions:] {
			delete(s.Versions, name)
		}
	}
	return s, nil
}
