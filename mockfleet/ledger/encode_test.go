package ledger

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/wire"
	"github.com/fleetmark/fleetmark/mockfleet/address"
)

// fill sets v, and everything in it, to values that are not zero and, as far as the type allows,
// all different.
func fill(t *testing.T, v reflect.Value, n *int) {
	*n++
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(*n))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(*n) + 0.5)
	case reflect.String:
		v.SetString(strings.Repeat("x", *n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0), n)
		fill(t, v.Index(1), n)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(t, key, n)
			fill(t, value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), n)
		}
	default:
		require.Fail(t, "fill knows no "+v.Kind().String())
	}
}

func lineOfJSON(t require.TestingT, e Entry) string {
	var line bytes.Buffer
	require.NoError(t, json.NewEncoder(&line).Encode(e))
	return line.String()
}

// TestTheLedgersLinesHaveEveryField checks that every field of Entry is written and read, so that a
// new one is not forgotten.
func TestTheLedgersLinesHaveEveryField(t *testing.T) {
	var e Entry
	n := 0
	fill(t, reflect.ValueOf(&e).Elem(), &n)
	want := lineOfJSON(t, e)
	require.Equal(t, want, string(e.AppendLine(nil)),
		"Entry.AppendLine lacks a field of Entry, or has it in another place")

	var read Entry
	var r Reader
	require.True(t, r.fast([]byte(strings.TrimSuffix(want, "\n")), &read), "members.read lacks a field of Entry")
	require.Equal(t, e, read, "members.read reads a field wrongly")
}

// TestReadingALineAllocatesItsID checks that reading a line allocates nothing but the ID, if the
// device runs the same update as the one before.
func TestReadingALineAllocatesItsID(t *testing.T) {
	e := Entry{Device: 7, ID: address.DeviceID(7), Counts: Counts[uint32]{Pushes: 1}, Version: "2.0.0", Digest: "ab",
		State: wire.StateIdle, UpdatedAt: "2026-01-02T03:04:05Z"}
	lines := e.AppendLine(nil)
	e.ID = address.DeviceID(8)
	lines = bytes.Repeat(e.AppendLine(lines), 1001)
	r := NewReader(bytes.NewReader(lines))
	require.EqualValues(t, 1, testing.AllocsPerRun(1000, func() {
		if _, err := r.Next(); err != nil {
			panic(err)
		}
	}))
}

func TestALineIsAsEncodingJSONWritesIt(t *testing.T) {
	for name, e := range map[string]Entry{
		"zero": {},
		"the usual one": {Device: 7, ID: address.DeviceID(7),
			Counts: Counts[uint32]{Pushes: 1, Applied: 1, Verifies: 1}, BytesReceived: 1024, Version: "2.0.0", Digest: "ab",
			State: wire.StateIdle, UpdatedAt: "2026-01-02T03:04:05Z"},
		"the largest": {Device: math.MaxInt, Counts: Counts[uint32]{Pushes: math.MaxUint32},
			BytesReceived: math.MaxUint64},
		"a negative device": {Device: -1},
		"no fault acted":    {Faults: map[string]uint32{}},
		"faults":            {Faults: map[string]uint32{"refuse": 1, "": 2, "a<b": 3, "blackhole": 4}},
		"escapes":           {Version: `"\` + "\n\x00\x1f"},
		"escaped for HTML":  {Version: "<&>"},
		"beyond ASCII":      {Version: "é\u2028\U0001f600\x7f"},
		"not UTF-8":         {Version: "a\xffb"},
	} {
		t.Run(name, func(t *testing.T) {
			line := string(e.AppendLine(nil))
			require.Equal(t, lineOfJSON(t, e), line)
			var want Entry
			require.NoError(t, json.Unmarshal([]byte(line), &want))
			got, err := NewReader(strings.NewReader(line)).Next()
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestLedgerReader(t *testing.T) {
	for name, row := range map[string]struct {
		text    string
		devices []int
		says    string // the error at the end, or "" if there is none
	}{
		"nothing":               {"", nil, ""},
		"a line":                {`{"device":1}` + "\n", []int{1}, ""},
		"no line feed":          {`{"device":1}` + "\n" + `{"device":2}`, []int{1, 2}, ""},
		"empty lines":           {"\n\n" + `{"device":1}` + "\n \t\n" + `{"device":2}` + "\r\n\n", []int{1, 2}, ""},
		"space":                 {` { "device" : 1 } ` + "\n", []int{1}, ""},
		"unknown members":       {`{"device":1,"colour":{"is":["red"]}}` + "\n", []int{1}, ""},
		"another case":          {`{"DEVICE":1}` + "\n", []int{1}, ""},
		"the object of another": {`{"device":1}` + "\n" + `[2]` + "\n", []int{1}, "cannot unmarshal array"},
		"no JSON":               {"<html>\n", nil, "invalid character"},
		"cut off":               {`{"device":1}` + "\n" + `{"device":2`, []int{1}, "unexpected end"},
		"two in a line":         {`{"device":1}{"device":2}` + "\n", nil, "invalid character"},
		"too large a number":    {`{"device":1,"pushes":4294967296}` + "\n", nil, "cannot unmarshal number"},
		"a former name": {`{"device":1}` + "\n" + `{"device":2,"pushes":1,"feigned":1}` + "\n", []int{1},
			`the count "feigned" is called "false_acks" now`},
		"too long": {`{"device":1,"version":"` + strings.Repeat("2", maxLedgerLine) + `"}` + "\n", nil,
			"a line has over 65536 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(strings.NewReader(row.text))
			var devices []int
			for {
				e, err := r.Next()
				if err == io.EOF {
					require.Empty(t, row.says)
					break
				}
				if err != nil {
					require.NotEmpty(t, row.says, err)
					require.ErrorContains(t, err, row.says)
					break
				}
				devices = append(devices, e.Device)
			}
			require.Equal(t, row.devices, devices)
		})
	}
}

// TestReaderRefusesFormerNames checks that a Reader refuses counts by the names of the release
// before. It would otherwise read them as 0.
func TestReaderRefusesFormerNames(t *testing.T) {
	for former, now := range map[string]string{
		"feigned": "false_acks", "unfit": "install_failures", "struck": "connections_aborted",
		"turned_away":  "connections_over_limit",
		"misaddressed": "misdirected", "faulted": "forced_rejects", "broken": "incomplete", "injected": "injections",
	} {
		line := `{"device":7,"pushes":1,"` + former + `":0,"version":"2.0.0"}` + "\n"
		e, err := NewReader(strings.NewReader(line)).Next()
		require.EqualError(t, err, fmt.Sprintf("the count %q is called %q now: the fleet is of an earlier release; "+
			"start it with the same release as its driver", former, now))
		require.Equal(t, Entry{}, e)
	}
}

// FuzzLedgerLine checks that a line without former names is read as encoding/json reads it, whether
// the hand-written code takes it or not, and whatever was read before it.
func FuzzLedgerLine(f *testing.F) {
	usual := Entry{Device: 7, ID: address.DeviceID(7), Counts: Counts[uint32]{Pushes: 1, Applied: 1},
		BytesReceived: 1024, Version: "2.0.0", Digest: "ab", State: wire.StateIdle, UpdatedAt: "2026-01-02T03:04:05Z"}
	f.Add(usual.AppendLine(nil))
	for _, s := range []string{
		`{}`, `null`, `{"device":1,"device":2}`, `{"device":01}`, `{"device":-1}`, `{"device":1.0}`, `{"device":1e1}`,
		`{"device":999999999999999999}`,
		`{"pushes":4294967295}`, `{"pushes":4294967296}`, `{"pushes":null}`, `{"bytes_received":18446744073709551615}`,
		`{"bytes_received":100000000000000000}`,
		`{"faults":{}}`, `{"faults":{"a":1,"a":2}}`, `{"faults":{"a":1},"faults":{"b":2}}`, `{"faults":null}`,
		`{"faults":{"a":-1}}`, `{"faults":{"a":1,}}`,
		`{"version":"2.0.0"}`, `{"version":"2.0.0x"}`, `{"version":"2.0.0\""}`, `{"version":"2.0"}`, `{"version":""}`,
		`{"version":"\u0032"}`, "{\"version\":\"\xff\"}", "{\"version\":\"\x7f\"}",
		`{"Version":"3"}`, `{"ſtate":"idle"}`, `{"state":7}`, `{"state":"idle"`, `{"state":"idle"}}`, `{"state":"idle"},`,
		`{"a":[{}]}`, `{"device":1,}`, `{,}`, `{"device"}`,
		`{"connections_aborted":1} `, `[]`, `"x"`, `{"id":"device-00000007"}`, `{"digest":"<"}`,
		`{"feigned":0}`, `{"Feigned":1}`, `{"device":1,"\u0062roken":1}`, `{"faults":{"broken":1}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		var want Entry
		wantErr := json.Unmarshal(line, &want)
		var members map[string]any
		if wantErr == nil {
			wantErr = json.Unmarshal(line, &members)
		}
		for name := range members {
			if currentName(name) != name {
				wantErr = fmt.Errorf("%q is a former name", name)
			}
		}
		for _, before := range []Entry{{}, usual} {
			r := Reader{last: before}
			got, err := r.entry(line)
			require.Equal(t, wantErr == nil, err == nil, "%q: %v, encoding/json: %v", line, err, wantErr)
			if err == nil {
				require.Equal(t, want, got, "%q", line)
			}
		}
	})
}

// FuzzEntry checks that an entry is written as encoding/json writes it.
func FuzzEntry(f *testing.F) {
	f.Add(7, uint32(1), uint64(1024), "2.0.0", "refuse")
	f.Add(-7, uint32(math.MaxUint32), uint64(math.MaxUint64), "<\u2028\xff\"", "")
	f.Fuzz(func(t *testing.T, device int, count uint32, size uint64, text, fault string) {
		e := Entry{
			Device: device, ID: text, Counts: Counts[uint32]{Pushes: count, ConnectionsAborted: count + 1},
			Faults:        map[string]uint32{fault: count, text: 1},
			BytesReceived: size, Version: text, Digest: fault, State: wire.State(text), UpdatedAt: fault,
		}
		require.Equal(t, lineOfJSON(t, e), string(e.AppendLine(nil)))
	})
}
