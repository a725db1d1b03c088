package profiles

import (
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stretchr/testify/require"
)

// made returns an allocation profile of the given stacks.
func made(stacks ...madeStack) *profile.Profile {
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "alloc_objects", Unit: "count"},
		{Type: "alloc_space", Unit: "bytes"}}}
	for _, s := range stacks {
		sample := &profile.Sample{Value: []int64{s.objects, s.bytes}}
		for _, name := range s.functions {
			f := &profile.Function{ID: uint64(len(p.Function) + 1), Name: name}
			p.Function = append(p.Function, f)
			l := &profile.Location{ID: uint64(len(p.Location) + 1), Line: []profile.Line{{Function: f}}}
			p.Location = append(p.Location, l)
			sample.Location = append(sample.Location, l)
		}
		p.Sample = append(p.Sample, sample)
	}
	return p
}

// A madeStack is a stack, innermost function first, with the objects and bytes that it allocated.
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
	got := newBreakdown(p, 0, 1, []Component{
		{"request", []string{"net/http."}}, {"headers", []string{"net/http.Header."}},
		{"connection", []string{"net."}}, {"context", []string{"context."}}, {"none", []string{"nowhere."}},
	})
	require.Equal(t, &Breakdown{
		Objects: 19, Bytes: 685,
		Components: []ComponentTotal{
			{"request", 1, 60}, {"headers", 1, 50}, {"connection", 3, 300}, {"context", 2, 200}, {"none", 0, 0},
			{"other", 12, 75},
		},
	}, got)
}

func TestBreakdownOfRefuses(t *testing.T) {
	_, err := BreakdownOf("nowhere.pb.gz", nil)
	var file *FileError
	require.ErrorAs(t, err, &file)
	require.Equal(t, Missing, file.Problem)
}
