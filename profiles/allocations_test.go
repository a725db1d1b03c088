package profiles

import (
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"
)

// made is an allocation profile of the given stacks, innermost function first, with
// objects and bytes each.
func made(stacks ...madeStack) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "alloc_objects", Unit: "count"}, {Type: "alloc_space", Unit: "bytes"}}}
	for _, s := range stacks {
		sample := &profile.Sample{Value: []int64{s.objects, s.bytes}}
		for i, name := range s.functions {
			f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name, Filename: "/somewhere/else/" + name[:3] + ".go"}
			p.Function = append(p.Function, f)
			l := &profile.Location{ID: uint64(len(p.Location) + 1), Line: []profile.Line{{Function: f, Line: int64(10 * (i + 1))}}}
			p.Location = append(p.Location, l)
			sample.Location = append(sample.Location, l)
		}
		p.Sample = append(p.Sample, sample)
	}
	return p
}

type madeStack struct {
	objects, bytes int64
	functions      []string
}

func TestBreakdown(t *testing.T) {
	p := made(
		madeStack{2, 200, []string{"runtime.newobject", "context.WithDeadline", "net.(*Dialer).DialContext", "own.dial"}},
		madeStack{3, 300, []string{"net.(*netFD).connect", "net.(*Dialer).DialContext", "own.dial"}},
		madeStack{1, 50, []string{"net/http.Header.Clone", "net/http.(*Transport).roundTrip"}},
		madeStack{1, 60, []string{"net/http.(*Transport).dialConn"}},
		madeStack{5, 5, []string{"strange.thing", "own.verify"}},
		madeStack{7, 70, []string{"runtime.malg"}},
	)
	got := newBreakdown(p, 0, 1, BreakdownOptions{
		Components: []Component{
			{"request", []string{"net/http."}}, {"headers", []string{"net/http.Header."}},
			{"connection", []string{"net."}}, {"context", []string{"context."}}, {"none", []string{"nowhere."}},
		},
		Caller: "own.", Sites: 3,
	})
	require.Equal(t, &Breakdown{
		Objects: 19, Bytes: 685,
		Components: []ComponentTotal{{"request", 1, 60}, {"headers", 1, 50}, {"connection", 3, 300}, {"context", 2, 200}, {"none", 0, 0}, {"other", 12, 75}},
		Sites: []Site{
			{"net.(*netFD).connect", "own.dial", "own.go:30", 3, 300},
			{"context.WithDeadline", "own.dial", "own.go:40", 2, 200},
			{"runtime", "", "", 7, 70},
			{"", "", "", 7, 115},
		},
	}, got)
}

// TestBreakdownAddsUp: however few sites are shown, both divisions come to the profile.
func TestBreakdownAddsUp(t *testing.T) {
	var stacks []madeStack
	for i := range int64(30) {
		stacks = append(stacks, madeStack{i, 100 * i, []string{string(rune('a'+i%7)) + ".function", "own.caller"}})
	}
	for n := -1; n < 10; n++ {
		b := newBreakdown(made(stacks...), 0, 1, BreakdownOptions{Components: []Component{{"a", []string{"a."}}}, Sites: n})
		var components, sites ComponentTotal
		for _, c := range b.Components {
			components.Objects, components.Bytes = components.Objects+c.Objects, components.Bytes+c.Bytes
		}
		for _, s := range b.Sites {
			sites.Objects, sites.Bytes = sites.Objects+s.Objects, sites.Bytes+s.Bytes
		}
		want := ComponentTotal{"", 29 * 30 / 2, 100 * 29 * 30 / 2}
		require.Equal(t, want, components)
		require.Equal(t, want, sites)
	}
}

func TestBreakdownOfRefuses(t *testing.T) {
	_, err := BreakdownOf("nowhere.pb.gz", BreakdownOptions{})
	var file *FileError
	require.ErrorAs(t, err, &file)
	require.Equal(t, Missing, file.Problem)
}
