package ledger

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// Query selects entries of the ledger. The zero value selects those of every device that received
// anything. Each field that is set narrows the selection, except All, which widens it.
type Query struct {
	Group   string // devices of this group
	Stage   Stage  // devices in this stage
	Fault   string // devices that this kind of fault acted on
	Version string // devices that run this version
	Has     string // devices of which this count, by its name in JSON such as "applied_twice", is above 0
	Lacks   string // devices of which it is 0
	From    int    // devices from this index on
	To      int    // devices below this index; 0 is to the last
	Limit   int    // so many entries at most; 0 is all
	All     bool   // also devices that received nothing
}

// Validate returns a *mockfleet.ConfigError for the first field of q that can't be used, or nil.
// kinds are the names of all kinds of faults. Validate doesn't check the group, which depends on
// the fleet.
func (q Query) Validate(kinds []string) error {
	bad := func(name, value, want string) error { return &field.Error{Field: name, Value: value, Want: want} }
	if q.Stage != "" && !slices.Contains(Stages(), q.Stage) {
		return bad("stage", strconv.Quote(string(q.Stage)), fmt.Sprintf("one of %v", Stages()))
	}
	if q.Fault != "" && !slices.Contains(kinds, q.Fault) {
		return bad("fault", strconv.Quote(q.Fault), "one of "+strings.Join(kinds, ", "))
	}
	var names []string
	for _, c := range new(Entry).All() {
		names = append(names, c.Name)
	}
	names = append(names, bytesReceived)
	for _, asked := range [][2]string{{"has", q.Has}, {"lacks", q.Lacks}} {
		if asked[1] != "" && !slices.Contains(names, currentName(asked[1])) {
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

// Matches reports whether q selects an entry. It ignores the group, the range and the limit, which
// concern the list of entries.
func (q *Query) Matches(e *Entry) bool {
	return (q.Stage == "" || e.Stage == q.Stage) && (q.Version == "" || e.Version == q.Version) &&
		(q.Fault == "" || e.Faults[q.Fault] > 0) &&
		(q.Has == "" || e.countOf(q.Has) > 0) && (q.Lacks == "" || e.countOf(q.Lacks) == 0)
}

// Values returns q as the query of a URL, as the control port takes it.
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

// ParseQuery reads what Values writes. The error is a *mockfleet.ConfigError.
func ParseQuery(v url.Values) (q Query, err error) {
	var names []string
	for _, f := range q.texts() {
		names = append(names, f.name)
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(names, name) {
			return Query{}, &field.Error{Field: "query", Value: strconv.Quote(name), Want: "one of " + strings.Join(names, ", ")}
		}
		if len(v[name]) > 1 {
			return Query{}, &field.Error{Field: name, Value: fmt.Sprint(len(v[name])) + " times", Want: "it once"}
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
				return Query{}, &field.Error{Field: n.name, Value: strconv.Quote(text), Want: "a whole number"}
			}
		}
	}
	if text := v.Get("all"); text != "" {
		if q.All, err = strconv.ParseBool(text); err != nil {
			return Query{}, &field.Error{Field: "all", Value: strconv.Quote(text), Want: "true or false"}
		}
	}
	return q, nil
}
