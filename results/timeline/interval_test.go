package timeline

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/docpage"
)

var testTime = time.Date(2026, 11, 30, 22, 0, 0, 123_000_000, time.UTC)

// testIntervals are intervals in which every field is set, and in which as few as possible are.
func testIntervals() []Interval {
	return []Interval{
		{Repetition: 1, Time: testTime, StartNS: 0, EndNS: 1e9},
		{
			Repetition: 1, Time: testTime.Add(time.Second), StartNS: 1e9, EndNS: 2e9,
			Planned: 100, Sent: 99, Succeeded: 90, Failed: 7, BrokenOff: 1, Retries: 3, NotSent: 1, InFlight: 2,
			Classes: map[string]int64{"timeout": 4, "an \"odd\" <class>\n": 3}, Bytes: &Bytes{Written: 1 << 40, Read: 17},
			Wave: 2, Operations: []Operation{
				{Op: "push", Count: 91, Response: Times{1, 2, 3, 4}, Service: &Times{5, 6, 7, 8}},
				{Op: "verify", Count: 90, Response: Times{9, 10, 11, 12}},
			},
		},
		{Repetition: 2, Time: testTime.Add(time.Minute), EndNS: 1, Operations: []Operation{{Op: "deliver", Count: 1}}},
	}
}

// TestAppendLine compares the lines with those of encoding/json.
func TestAppendLine(t *testing.T) {
	for _, v := range testIntervals() {
		want, err := json.Marshal(v)
		require.NoError(t, err)
		require.Equal(t, string(want)+"\n", string(v.AppendLine(nil)))
	}
}

func TestAppendLineAllocatesNothing(t *testing.T) {
	v := testIntervals()[1]
	v.Classes = nil
	buffer := v.AppendLine(nil)
	require.Zero(t, testing.AllocsPerRun(100, func() { buffer = v.AppendLine(buffer[:0]) }))
}

func TestRead(t *testing.T) {
	want := testIntervals()
	var file []byte
	for _, v := range want {
		file = v.AppendLine(file)
	}
	got, err := Read(bytes.NewReader(file))
	require.NoError(t, err)
	require.Equal(t, want, got)
	split := ByRepetition(got)
	require.Equal(t, [][]Interval{want[:2], want[2:]}, split)
	require.Nil(t, ByRepetition(nil))

	// Wherever a kill cuts the file, the complete lines are read.
	for cut := range file {
		got, err := Read(bytes.NewReader(file[:cut]))
		require.NoError(t, err)
		require.Len(t, got, bytes.Count(file[:cut], []byte("\n")))
	}
}

func TestRead_wrong(t *testing.T) {
	good := string((&Interval{Repetition: 1, Time: testTime}).AppendLine(nil))
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":       {good + "rubbish\n", "line 2: invalid character"},
		"wrong type":    {`{"repetition":"x"}` + "\n", "line 1: json: cannot unmarshal string"},
		"no repetition": {"{}\n", "line 1: repetition 0 from 0 to 0 ns: want a repetition from 1 on and an end after the start"},
		"before year 1": {`{"repetition":1,"time":"0000-01-01T00:00:00+01:00"}` + "\n",
			"line 1: time -0001-12-31T23:00:00Z: want a year from 1 to 9999"},
		"backwards":   {`{"repetition":1,"start_ns":5,"end_ns":4}` + "\n", "want a repetition from 1 on and an end after"},
		"a long line": {good + good + strings.Repeat(" ", maxLine) + "\n", "line 3: longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := Read(strings.NewReader(c.text))
			require.ErrorContains(t, err, c.want)
			require.Len(t, list, strings.Count(c.text, good), "what came before is kept")
		})
	}
	t.Run("too many", func(t *testing.T) {
		list, err := Read(strings.NewReader(strings.Repeat(`{"repetition":1}`+"\n", MaxIntervals+1)))
		require.ErrorContains(t, err, "more than 200000 intervals")
		require.Len(t, list, MaxIntervals)
	})
}

func TestOf(t *testing.T) {
	v := testIntervals()[1]
	push, ok := v.Of("push")
	require.True(t, ok)
	require.EqualValues(t, 91, push.Count)
	_, ok = v.Of("deliver")
	require.False(t, ok)
}

// TestSchema checks that intervals agree with the schema, and that it names every field.
func TestSchema(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(Schema()))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource("timeline.schema.json", document))
	schema, err := compiler.Compile("timeline.schema.json")
	require.NoError(t, err)
	properties := document.(map[string]any)["properties"].(map[string]any)
	for _, v := range testIntervals() {
		object, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.AppendLine(nil)))
		require.NoError(t, err)
		require.NoError(t, schema.Validate(object))
		for key := range object.(map[string]any) {
			require.Contains(t, properties, key)
		}
	}
	for _, bad := range []string{`{}`, `{"repetition":0,"time":"x"}`} {
		object, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		require.NoError(t, err)
		require.Error(t, schema.Validate(object))
	}
}

func FuzzRead(f *testing.F) {
	for _, v := range testIntervals() {
		f.Add(v.AppendLine(nil))
	}
	f.Add([]byte(`{"repetition":1,"failed_by_class":{"":-1},"operations":[{},null]}` + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		var again []byte
		for _, v := range list {
			again = v.AppendLine(again)
		}
		second, err := Read(bytes.NewReader(again))
		require.NoError(t, err)
		require.Len(t, second, len(list))
	})
}

// TestTimelinePage writes the tables of docs/reference/run-directory.md that describe intervals.
func TestTimelinePage(t *testing.T) {
	source := docpage.ReadSource(t, ".")
	source.Foreign = map[string]string{"time.Time": "time (RFC 3339)"}
	for part, name := range map[string]string{
		"timeline": "Interval", "timeline bytes": "Bytes", "timeline operations": "Operation", "timeline times": "Times",
	} {
		docpage.Check(t, "reference/run-directory.md", part, source.FieldTable(t, name))
	}
}
