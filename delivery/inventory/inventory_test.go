package inventory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/delivery/internal/check"
	"github.com/fleetmark/fleetmark/delivery/internal/endpoint"
)

// inventoryFiles holds the same three devices in each format.
var inventoryFiles = map[string]string{
	"devices.json": `[
  {"id": "till-1", "address": "http://192.0.2.1", "location": "Oslo", "version": "1.0.0", "labels": {"site": "north", "kind": "till"}},
  {"id": "till-2", "address": "https://[2001:db8::2]:8443/a", "location": "Bergen", "version": "2.0.0", "labels": {"site": "north"}},

  {"address": "http://192.0.2.3"}
]
`,
	"devices.jsonl": `{"id": "till-1", "address": "http://192.0.2.1", "location": "Oslo", "version": "1.0.0", "labels": {"site": "north", "kind": "till"}}
{"id": "till-2", "address": "https://[2001:db8::2]:8443/a", "location": "Bergen", "version": "2.0.0", "labels": {"site": "north"}}

{"address": "http://192.0.2.3"}`,
	"devices.csv": "id,address,location,version,label.site,label.kind\r\n" +
		"till-1,http://192.0.2.1,Oslo,1.0.0,north,till\r\n" +
		"\"till-2\",https://[2001:db8::2]:8443/a,Bergen,2.0.0,north,\r\n" +
		"\r\n" +
		",http://192.0.2.3,,,,\r\n",
}

func registered(r *Inventory) []Entry { return slices.Collect(r.Entries(Filter{})) }

func TestInventoryFormats(t *testing.T) {
	want := []Entry{
		{delivery.Device{ID: "till-1", Address: "http://192.0.2.1"}, map[string]string{"site": "north", "kind": "till"},
			"Oslo", "1.0.0"},
		{delivery.Device{ID: "till-2", Address: "https://[2001:db8::2]:8443/a"}, map[string]string{"site": "north"},
			"Bergen", "2.0.0"},
		{Device: delivery.Device{Address: "http://192.0.2.3"}},
	}
	for name, text := range inventoryFiles {
		t.Run(name, func(t *testing.T) {
			for _, mark := range []string{"", "\ufeff"} {
				path := filepath.Join(t.TempDir(), name)
				require.NoError(t, os.WriteFile(path, []byte(mark+text), 0o600))
				r, err := Open(path, Options{})
				require.NoError(t, err)
				require.Equal(t, want, registered(r))
				require.Equal(t, 3, r.Len())
				bad, total := r.Skipped()
				require.Empty(t, bad)
				require.Zero(t, total)
				for range 2 { // as often as one likes
					require.Len(t, slices.Collect(r.All()), 3)
				}
			}
			for cut := range text { // a truncated file is never accepted
				r, err := Read(strings.NewReader(text[:cut]), name, Options{SkipInvalid: true})
				if err == nil {
					_, bad := r.Skipped()
					if name == "devices.json" && cut < strings.LastIndex(text, "]") {
						t.Fatalf("cut after %d bytes: %v", cut, registered(r))
					}
					require.LessOrEqual(t, bad, 1)
				}
			}
		})
	}
	_, err := Open(filepath.Join(t.TempDir(), "missing.json"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Read(strings.NewReader(""), "devices", Options{})
	require.ErrorContains(t, err, "registry devices: want a name that ends in")
	r, err := Read(strings.NewReader(inventoryFiles["devices.csv"]), "devices", Options{Format: FormatCSV})
	require.NoError(t, err)
	require.Equal(t, 3, r.Len())
	_, err = Read(strings.NewReader(""), "x.ndjson", Options{})
	require.NoError(t, err)
}

func TestInventoryFilter(t *testing.T) {
	for name, text := range inventoryFiles {
		r, err := Read(strings.NewReader(text), name, Options{})
		require.NoError(t, err)
		for want, f := range map[string]Filter{
			"1 2 3": {},
			"1 2":   {Labels: map[string]string{"site": "north"}},
			"1":     {Labels: map[string]string{"site": "north", "kind": "till"}},
			"2":     {Location: "Bergen"},
			"2 ":    {Version: "2.0.0"},
			"1 3":   {NotVersion: "2.0.0"},
			"":      {Labels: map[string]string{"site": "north", "kind": ""}},
			" ":     {Location: "Bergen", Version: "1.0.0"},
		} {
			var got []string
			for d := range r.Select(f) {
				got = append(got, map[string]string{"http://192.0.2.1": "1", "https://[2001:db8::2]:8443/a": "2",
					"http://192.0.2.3": "3"}[d.Address])
			}
			require.Equal(t, strings.TrimSpace(want), strings.Join(got, " "))
		}
		for range r.All() {
			break // ending the iteration early is fine
		}
	}
}

// TestInventoryBadLines checks how each mistake in a line is named, and that the lines around it
// are kept or the file is refused, as the options say.
func TestInventoryBadLines(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, row := range []struct{ name, bad, want string }{
		{"f.jsonl", `{"id":"b"}`, "f.jsonl:2: address: is missing: want http://HOST"},
		{"f.jsonl", `{"id":"b","address":"till"}`, `f.jsonl:2: address: device address "till": want http://HOST`},
		{"f.jsonl", `{"id":"b\n","address":"http://b"}`, `f.jsonl:2: id: "b\n": want neither control characters`},
		{"f.jsonl", `{"id":"` + long + `","address":"http://b"}`, `: 300 bytes, want at most 128`},
		{"f.jsonl", `{"location":"` + long + `","address":"http://b"}`, `f.jsonl:2: location: "xxx`},
		{"f.jsonl", `{"id":" till-1","address":"http://b"}`,
			`f.jsonl:2: id: " till-1": want neither control characters nor U+FFFD, and no space around it`},
		{"f.jsonl", `{"id":"a\u0085","address":"http://b"}`, `f.jsonl:2: id: "a\u0085": want neither control characters`},
		{"f.jsonl", `{"version":"\ud800","address":"http://b"}`,
			`f.jsonl:2: version: "` + "\ufffd" + `": want neither control characters nor U+FFFD`},
		{"f.jsonl", `{"id":"a","address":"http://b"}`, `f.jsonl:2: id: "a": is that of line 1 already`},
		{"f.jsonl", `{"address":"http://n"}`, `f.jsonl:2: address: "http://n": is that of line 3 already`},
		{"f.jsonl", `{"id":"b","id":"c","address":"http://b"}`, `f.jsonl:2: "id" twice: want each field once`},
		{"f.jsonl", `{"id":7,"address":"http://b"}`, `f.jsonl:2: id: a number: want a text in quotes`},
		{"f.jsonl", `{"id":null,"address":"http://b"}`, `f.jsonl:2: id: null: want a text in quotes, or leave the field out`},
		{"f.jsonl", `{"id":true,"address":"http://b"}`, `f.jsonl:2: id: true or false: want`},
		{"f.jsonl", `{"id":{},"address":"http://b"}`, `f.jsonl:2: id: a list or an object: want`},
		{"f.jsonl", `{"labels":["x"],"address":"http://b"}`,
			`f.jsonl:2: labels: a list or an object: want an object of texts`},
		{"f.jsonl", `{"labels":"x","address":"http://b"}`, `f.jsonl:2: labels: a text: want an object of texts`},
		{"f.jsonl", `{"labels":{"a":1},"address":"http://b"}`, `f.jsonl:2: labels: a number: want a text`},
		{"f.jsonl", `{"labels":{"a":"1","a":"2"},"address":"http://b"}`, `f.jsonl:2: labels: "a" twice`},
		{"f.jsonl", `{"labels":{"` + long + `":"1"},"address":"http://b"}`, `f.jsonl:2: labels: name "xxx`},
		{"f.jsonl", `{"labels":{"a":"\u0000"},"address":"http://b"}`, `f.jsonl:2: label.a: "\x00": want`},
		{"f.jsonl", `{"labels":{` + manyLabels(65) + `},"address":"http://b"}`,
			`f.jsonl:2: labels: 65 of them: want at most 64`},
		{"f.jsonl", `["id"]`, `f.jsonl:2: a list or an object: want an object`},
		{"f.jsonl", `7`, `f.jsonl:2: a number: want an object`},
		{"f.jsonl", `{"id":"b","address":"http://b"`, `f.jsonl:2: it ends in the middle: want a whole JSON object`},
		{"f.jsonl", `{"id":"b","address":"http://b"}{}`, `f.jsonl:2: "{}" after the object`},
		{"f.jsonl", `{"id":"b" "address":"http://b"}`, `f.jsonl:2: `},
		{"f.jsonl", `{7:8}`, `f.jsonl:2: `},
		{"f.jsonl", `{"id":}`, `f.jsonl:2: id: `},
		{"f.jsonl", `id=b`, `f.jsonl:2: invalid character`},
		{"f.jsonl", "{\"id\":\"\xff\",\"address\":\"http://b\"}", `f.jsonl:2: not UTF-8`},
		{"f.jsonl", `{"id":"b","address":"http://b","location":"` + strings.Repeat("x", 5000) + `"}`,
			`f.jsonl:2: longer than 4096 bytes`},

		{"f.json", `{"id":"b"}`, "f.json:2: address: is missing"},
		{"f.json", "\n\n{\n\"id\": 7}", "f.json:5: id: a number: want"},
		{"f.json", `{"id": tru}`, "f.json:2: id: invalid character"},
		{"f.json", "{\"id\": \"b\n}", "f.json:2: id: "},
		{"f.json", ``, "f.json:2: it ends in the middle: want a whole JSON object"},
		{"f.json", `"a\",b"`, "f.json:2: a text: want an object"},
		{"f.json", `[[{}],{}]`, "f.json:2: a list or an object: want an object"},

		{"f.csv", `b`, "f.csv:3: 1 fields: want 3, as the header row has"},
		{"f.csv", `b,http://b,north,x`, "f.csv:3: 4 fields: want 3"},
		{"f.csv", `b,till,north`, `f.csv:3: address: device address "till": want`},
		{"f.csv", `b,,north`, `f.csv:3: address: is missing`},
		{"f.csv", `"b,http://b,north`, `f.csv:3: column `},
		{"f.csv", `b"b,http://b,north`, `f.csv:3: column 2: bare " in non-quoted-field (a field is on one line)`},
		{"f.csv", `"b"b,http://b,north`, `f.csv:3: column `},
		{"f.csv", `a,http://b,north`, `f.csv:3: id: "a": is that of line 2 already`},
		{"f.csv", "b,http://b,\xff", `f.csv:3: not UTF-8`},
		{"f.csv", "b,http://b,\x01", `f.csv:3: label.site: "\x01": want`},
		{"f.csv", "b,http://b," + strings.Repeat("x", 5000), `f.csv:3: longer than 4096 bytes`},
	} {
		t.Run(row.name+"/"+check.Truncate(row.bad), func(t *testing.T) {
			good := [2]string{`{"id":"a","address":"http://a"}`, `{"address":"http://n"}`}
			text := good[0] + "\n" + row.bad + "\n" + good[1] + "\n"
			switch {
			case row.name == "f.json":
				text = "[" + good[0] + ",\n" + row.bad + ",\n" + good[1] + "]"
			case row.name == "f.csv":
				text = "id,address,label.site\na,http://a,north\n" + row.bad + "\n,http://n,\n"
			}
			after := strings.Contains(row.want, "line 3 already") // the bad one is the later one
			if after {
				text = good[0] + "\n\n" + good[1] + "\n" + row.bad + "\n"
				row.want = strings.Replace(row.want, ":2:", ":4:", 1)
			}
			cfg := Options{MaxLine: 4096}
			_, err := Read(strings.NewReader(text), row.name, cfg)
			require.ErrorContains(t, err, row.want)
			refused, ok := errors.AsType[*InvalidError](err)
			require.True(t, ok)
			require.Equal(t, 1, refused.Total)
			line, ok := errors.AsType[*LineError](err)
			require.True(t, ok)
			require.ErrorIs(t, err, line.Err)
			require.Less(t, len(err.Error()), 400, "the error doesn't repeat what is endless")

			cfg.SkipInvalid = true
			r, err := Read(strings.NewReader(text), row.name, cfg)
			require.NoError(t, err)
			require.Equal(t, []delivery.Device{{ID: "a", Address: "http://a"}, {Address: "http://n"}}, slices.Collect(r.All()))
			bad, total := r.Skipped()
			require.Equal(t, 1, total)
			require.ErrorContains(t, bad[0], row.want)
		})
	}
}

func manyLabels(n int) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(`"l%d":"x"`, i))
	}
	return strings.Join(parts, ",")
}

// TestInventoryUnknownFields checks that an unknown field is an error, or is ignored with
// SkipInvalid.
func TestInventoryUnknownFields(t *testing.T) {
	for name, text := range map[string]string{
		"f.jsonl": `{"address":"http://a","name":"x","colour":{"a":[1,2]}}`,
		"f.json":  `[{"address":"http://a","name":"x","colour":{"a":[1,2]}}]`,
		"f.csv":   "address,name,label.\nhttp://a,x,y",
	} {
		_, err := Read(strings.NewReader(text), name, Options{})
		require.ErrorContains(t, err, name+":1: name: unknown")
		r, err := Read(strings.NewReader(text), name, Options{SkipInvalid: true})
		require.NoError(t, err)
		require.Equal(t, []Entry{{Device: delivery.Device{Address: "http://a"}}}, registered(r))
	}
	r, err := Read(strings.NewReader(`{"address":"http://a","colour":}`), "f.jsonl", Options{SkipInvalid: true})
	require.NoError(t, err)
	_, bad := r.Skipped()
	require.Equal(t, 1, bad)
}

// TestInventoryFilesThatCannotBeReadFurther checks mistakes that are errors even with SkipInvalid.
func TestInventoryFilesThatCannotBeReadFurther(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"f.json", ``, "f.json:1: want a JSON array: [ {…}, … ]"},
		{"f.json", "\n{}", "f.json:2: want a JSON array"},
		{"f.json", `[`, "f.json:1: the array ends in the middle: want ]"},
		{"f.json", `[{"address":"http://a"}`, "the array ends in the middle"},
		{"f.json", `[{"address":"http://a"},`, "the array ends in the middle"},
		{"f.json", "[]\nx", `f.json:2: 'x' after the array: want its end`},
		{"f.json", "[{\n" + strings.Repeat("x", 5000) + "}]",
			"f.json:2: an element is longer than 4096 bytes (is a bracket left open?)"},
		{"f.json", "[{\"id\": \"b},\n{\"address\":\"http://a\"}]",
			"f.json:2: the array ends in the middle: want ] (a quote is not closed on line 1)"},
		{"f.csv", "", "f.csv:1: no header row: want columns such as id,address"},
		{"f.csv", "\n\n", "no header row"},
		{"f.csv", "id,version\n", "f.csv:1: address: no such column"},
		{"f.csv", "\nid,address,id\n", "f.csv:2: id: two columns of this name"},
		{"f.csv", "\"id,address\n", "f.csv:1: column"},
		{"f.csv", strings.Repeat("x", 5000), "f.csv:1: longer than 4096 bytes"},
		{"f.csv", "\xff", "f.csv:1: not UTF-8"},
	} {
		_, err := Read(strings.NewReader(row.text), row.name, Options{SkipInvalid: true, MaxLine: 4096})
		require.ErrorContains(t, err, row.want)
		_, ok := errors.AsType[*LineError](err)
		require.True(t, ok)
	}
	for _, row := range []struct{ name, before string }{
		{"f.json", ""}, {"f.json", "["}, {"f.json", "[{"}, {"f.jsonl", "{"}, {"f.csv", ""}, {"f.csv", "address\n"},
	} {
		_, err := Read(io.MultiReader(strings.NewReader(row.before), iotest.ErrReader(errors.New("line gone"))), row.name,
			Options{SkipInvalid: true})
		require.ErrorContains(t, err, "registry "+row.name+": line gone", row.before)
	}
	require.Equal(t, "f.csv: x", (&LineError{File: "f.csv", Err: errors.New("x")}).Error())
}

func TestInventoryIsBounded(t *testing.T) {
	for name, text := range inventoryFiles {
		_, err := Read(strings.NewReader(text), name, Options{MaxDevices: 2, SkipInvalid: true})
		require.ErrorContains(t, err, "more than 2 devices: want a smaller file")
		_, err = Read(strings.NewReader(text), name, Options{MaxDevices: 3})
		require.NoError(t, err)
	}
	bad := strings.Repeat("x\n", 250)
	_, err := Read(strings.NewReader(bad), "f.jsonl", Options{})
	refused, ok := errors.AsType[*InvalidError](err)
	require.True(t, ok)
	require.Len(t, refused.Bad, 100)
	require.Equal(t, 250, refused.Total)
	require.True(t, strings.HasSuffix(err.Error(), "\nand 150 more"))
	r, err := Read(strings.NewReader(bad), "f.jsonl", Options{SkipInvalid: true, MaxErrors: 7})
	require.NoError(t, err)
	lines, total := r.Skipped()
	require.Len(t, lines, 7)
	require.Equal(t, 250, total)

	// A line of 64 MiB is skipped, and not held in memory.
	endless := io.MultiReader(io.LimitReader(zeros{}, 64<<20), strings.NewReader("\n{\"address\":\"http://a\"}"))
	r, err = Read(endless, "f.jsonl", Options{SkipInvalid: true})
	require.NoError(t, err)
	require.Equal(t, 1, r.Len())
	_, err = Read(io.MultiReader(strings.NewReader("[1"), zeros{}), "f.json", Options{})
	require.ErrorContains(t, err, "an element is longer than 65536 bytes")

	for want, cfg := range map[string]Options{
		`registry: format "xml": want json, jsonl or csv`:        {Format: "xml"},
		"registry: max devices -1: want 0 (the default) to 1000": {MaxDevices: -1},
		"registry: max line 16777217: want":                      {MaxLine: 16<<20 + 1},
		"registry: max bad -1: want":                             {MaxErrors: -1},
	} {
		_, err := Read(strings.NewReader(""), "f.json", cfg)
		require.ErrorContains(t, err, want)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestInventorySharesWhatDevicesHaveInCommon checks that a million devices of one site hold the
// site's name once.
func TestInventorySharesWhatDevicesHaveInCommon(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, `{"address":"http://a/%d","labels":{"kind":"till","site":"s%d"}}`+"\n", i, i%2)
	}
	r, err := Read(strings.NewReader(text.String()), "f.jsonl", Options{})
	require.NoError(t, err)
	distinct := map[uintptr]bool{}
	for _, d := range registered(r) {
		distinct[reflect.ValueOf(d.Labels).Pointer()] = true
	}
	require.Len(t, distinct, 2)
}

// TestInventoryMisspelledFields checks that a name that differs from a known one only in case,
// space or invisible characters is refused even with SkipInvalid. Otherwise the devices would lack
// what the field holds.
func TestInventoryMisspelledFields(t *testing.T) {
	for _, patient := range []bool{false, true} {
		for header, want := range map[string]string{
			"address,ID":               `f.csv:1: ID: "ID": want id, in lower case and without space`,
			"address, id":              `f.csv:1:  id: " id": want id,`,
			"address,\"id \"":          `"id ": want id,`,
			"address,\u200bid":         `"\u200bid": want id,`,
			"id,Address":               `"Address": want address,`,
			"id;ADDRESS":               `"ADDRESS": want address,`,
			"address,Location":         `"Location": want location,`,
			"address,VERSION ":         `"VERSION ": want version,`,
			"address,Label.site":       `"Label.site": want label.NAME,`,
			"address, label.site":      `" label.site": want label.NAME,`,
			"address,label.site ":      `label.site : "site ": want neither control characters nor U+FFFD, and no space around it`,
			"address,label.\u202esite": `"\u202esite": U+202E can't be seen`,
		} {
			_, err := Read(strings.NewReader(header+"\nx,y\n"), "f.csv", Options{SkipInvalid: patient})
			require.ErrorContains(t, err, want, header)
		}
		for field, want := range map[string]string{"ID": "id", "Address": "address", "id ": "id", "Labels": "labels",
			"VERSION": "version"} {
			line := fmt.Sprintf(`{"address":"http://a",%q:"x"}`, field)
			for name, text := range map[string]string{"f.jsonl": line, "f.json": "[" + line + "]"} {
				r, err := Read(strings.NewReader(text), name, Options{SkipInvalid: patient})
				if patient {
					require.NoError(t, err)
					require.Zero(t, r.Len(), "a device without what the line says of it")
					bad, _ := r.Skipped()
					err = bad[0]
				}
				require.ErrorContains(t, err, fmt.Sprintf("%s:1: %s: %q: want %s, in lower case", name, field, field, want))
			}
		}
	}
}

// TestInventorySpreadsheets checks that files as spreadsheets write them are read, or refused with
// advice.
func TestInventorySpreadsheets(t *testing.T) {
	want := []Entry{
		{Device: delivery.Device{ID: "a", Address: "http://a"}, Labels: map[string]string{"site": "north"}},
		{Device: delivery.Device{ID: "b", Address: "http://b"}},
	}
	for name, text := range map[string]string{
		"commas":                     "id,address,label.site\na,http://a,north\nb,http://b,\n",
		"an empty column at the end": "id,address,label.site,\na,http://a,north,\nb,http://b,,\n",
		"three of them":              "id,address,label.site,,,\na,http://a,north,,,\nb,http://b,\n",
		"in the rows alone":          "id,address,label.site\na,http://a,north,,\nb,http://b,,\n",
		"semicolons":                 "id;address;label.site\r\na;http://a;north\r\nb;http://b;\r\n",
		"semicolons, quoted":         "\"id\";\"address\";\"label.site\"\na;\"http://a\";north\nb;http://b;\n",
		"semicolons, named":          "sep=;\r\nid;address;label.site\r\na;http://a;north\r\nb;http://b;\r\n",
		"tabs":                       "id\taddress\tlabel.site\na\thttp://a\tnorth\nb\thttp://b\t\n",
	} {
		for _, mark := range []string{"", "\ufeff"} {
			r, err := Read(strings.NewReader(mark+text), "f.csv", Options{})
			require.NoError(t, err, name)
			require.Equal(t, want, registered(r), name)
		}
	}
	for text, want := range map[string]string{
		"id,address,\na,http://a,x\n":    "f.csv:2: 3 fields: want 2, as the header row has",
		"id,,address\na,x,http://a\n":    "f.csv:1: column 2 has no name: want id",
		"id;address\na;http://a;x\n":     "f.csv:2: 3 fields: want 2",
		"id|address\na|http://a\n":       "columns are divided by commas, semicolons or tabs",
		"id,address\na,http://a\n\ufeff": `f.csv:3: 1 fields: want 2`,
	} {
		_, err := Read(strings.NewReader(text), "f.csv", Options{})
		require.ErrorContains(t, err, want, text)
	}
}

// TestInventoryEncodings checks that a file reads the same in UTF-8 and in UTF-16, with and without
// a byte order mark.
func TestInventoryEncodings(t *testing.T) {
	files := map[string]string{
		"f.csv":   "id,address,location\r\na,http://a,Tromsø 😀\r\n",
		"f.json":  `[{"id":"a","address":"http://a","location":"Tromsø 😀"}]`,
		"f.jsonl": `{"id":"a","address":"http://a","location":"Tromsø 😀"}` + "\n",
	}
	encodings := map[string]func(text string) []byte{
		"UTF-8": func(text string) []byte { return []byte(text) },
		"UTF-16, little end first": func(text string) (b []byte) {
			for _, c := range utf16.Encode([]rune(text)) {
				b = append(b, byte(c), byte(c>>8))
			}
			return b
		},
		"UTF-16, big end first": func(text string) (b []byte) {
			for _, c := range utf16.Encode([]rune(text)) {
				b = append(b, byte(c>>8), byte(c))
			}
			return b
		},
	}
	for file, text := range files {
		for name, encode := range encodings {
			for _, mark := range []string{"", "\ufeff"} {
				whole := encode(mark + text)
				for kind, r := range map[string]io.Reader{
					"whole": bytes.NewReader(whole), "a byte at a time": iotest.OneByteReader(bytes.NewReader(whole)),
				} {
					reg, err := Read(r, file, Options{})
					require.NoError(t, err, "%s, %s, mark %q, %s", file, name, mark, kind)
					all := slices.Collect(reg.All())
					require.Equal(t, []delivery.Device{{ID: "a", Address: "http://a"}}, all, name)
					known, _ := reg.Lookup(all[0])
					require.Equal(t, "Tromsø 😀", known.Location)
				}
			}
		}
	}
	half := []byte("i\x00d\x00,\x00a\x00d\x00d\x00r\x00e\x00s\x00s\x00\n\x00\x3d\xd8,\x00h\x00t\x00t\x00p\x00:\x00/\x00/\x00a\x00")
	for text, want := range map[string]string{
		string(half):                       "f.csv:2: id",
		string(half[:len(half)-1]):         "f.csv:2: ",
		"\xff\xfe\x00\x00i\x00\x00\x00":    "f.csv: text is UTF-32: want UTF-8",
		"\x00\x00\xfe\xff\x00\x00\x00i":    "f.csv: text is UTF-32: want UTF-8",
		"id,address\nTroms\xf8,http://a\n": "f.csv:2: ",
	} {
		_, err := Read(strings.NewReader(text), "f.csv", Options{})
		require.ErrorContains(t, err, want, "%q", text)
	}
}

// TestInventoryOneAddress checks that an address that is written in several ways is one device, in
// the inventory and in a rollout.
func TestInventoryOneAddress(t *testing.T) {
	for _, row := range []struct {
		one, other string
		same       bool
	}{
		{"http://H1", "http://h1:80/", true},
		{"http://h1", "http://h1:080", true},
		{"http://h1/a/", "http://H1:80/a", true},
		{"https://h1", "https://h1:443", true},
		{"http://[2001:DB8:0:0::1]:80", "http://[2001:db8::1]", true},
		{"http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080/", true},
		{"http://h1", "https://h1", false},
		{"http://h1", "http://h1:443", false},
		{"https://h1:80", "https://h1", false},
		{"http://h1/a", "http://h1/A", false},
		{"http://h1:8080", "http://h1:808", false},
		{"http://h1/a", "http://h1/b", false},
	} {
		for name, text := range map[string]string{
			"f.csv":   "address\n" + row.one + "\n" + row.other + "\n",
			"f.jsonl": fmt.Sprintf("\n{\"address\":%q}\n{\"address\":%q}\n", row.one, row.other),
		} {
			_, err := Read(strings.NewReader(text), name, Options{})
			if row.same {
				require.ErrorContains(t, err, fmt.Sprintf("%s:3: address: %q: is that of line 2 already, perhaps written in another way", name, row.other))
			} else {
				require.NoError(t, err, row)
			}
		}
		one, _ := endpoint.Fingerprint("", row.one)
		other, _ := endpoint.Fingerprint("", row.other)
		require.Equal(t, row.same, one == other, row)
	}
	// The canonical form of these addresses is part of the journal's format, so it must not change.
	for _, plain := range []string{"http://h1", "http://h1:8080/a", "https://[2001:db8::1]:8443/d/7"} {
		require.Equal(t, plain, string(endpoint.AppendCanonical(nil, plain)))
	}
}

// TestInventoryInvisibleCharacters checks that two texts that look the same are the same.
func TestInventoryInvisibleCharacters(t *testing.T) {
	for _, bad := range []string{
		"till\u200b1", "till\u202e1", "till\u2066x\u2069", "\u200etill", "till\u00ad1", "till\ufeff1", "till\u2060",
		"till\u200d1",
		"till\u034f1", "till\u3164", "till\ufe0f", "till\U000e0041", "till\u2028x", "till\u2800x", "till\u180e1",
	} {
		for _, field := range []string{"id", "location", "version", "labels"} {
			value := fmt.Sprintf("%q", bad)
			value = strings.ReplaceAll(value, `\U000e0041`, `\udb40\udc41`)
			if field == "labels" {
				value = `{"site":` + value + `}`
			}
			text := fmt.Sprintf(`{"address":"http://a",%q:%s}`, field, value)
			_, err := Read(strings.NewReader(text), "f.jsonl", Options{})
			require.ErrorContains(t, err, "can't be seen, or turns the text around", "%q in %s", bad, field)
			require.ErrorContains(t, err, "U+")
			raw := "address," + strings.Replace(field, "labels", "label.site", 1) + "\nhttp://a," + bad + "\n"
			_, err = Read(strings.NewReader(raw), "f.csv", Options{})
			require.ErrorContains(t, err, "f.csv:2: ", "%q in %s", bad, field)
		}
	}
	for text, good := range map[string]bool{
		`{"address":"http://a","location":"Ålesund, kai 7"}`:                       true,
		`{"address":"http://a","location":"東京　駅"}`:                                 true, // U+3000
		`{"address":"http://a","location":"Caf\u00e9 n\u00b0\u00a04"}`:             true,
		`{"address":"http://a","id":"till\u00a04"}`:                                false,
		`{"address":"http://a","labels":{"site":"a\u2003b"}}`:                      false,
		`{"address":"http://a","labels":{"a\u3000b":"x"}}`:                         false,
		`{"address":"http://a","location":"\u00a0Oslo"}`:                           false,
		`{"address":"http://a","location":"Oslo\u3000"}`:                           false,
		`{"address":"http://a","id":"\u0627\u0644\u0642\u0627\u0647\u0631\u0629"}`: true, // right to left by itself
	} {
		_, err := Read(strings.NewReader(text), "f.jsonl", Options{})
		require.Equal(t, good, err == nil, "%s: %v", text, err)
	}
}

func TestInventoryLookup(t *testing.T) {
	for name, text := range inventoryFiles {
		r, err := Read(strings.NewReader(text), name, Options{})
		require.NoError(t, err)
		for d := range r.Entries(Filter{}) {
			got, ok := r.Lookup(d.Device)
			require.True(t, ok)
			require.Equal(t, d, got)
			require.Equal(t, d.Labels, r.Labels(d.Device))
		}
		for _, d := range []delivery.Device{{ID: "till-9", Address: "http://192.0.2.1"}, {Address: "http://192.0.2.1"}, {}} {
			_, ok := r.Lookup(d)
			require.False(t, ok)
			require.Nil(t, r.Labels(d))
		}
		got, ok := r.Lookup(delivery.Device{Address: "http://192.0.2.3:80/"})
		require.True(t, ok)
		require.Equal(t, "http://192.0.2.3", got.Address)
	}
}

// fuzzInventory checks what must hold for any file: the bounds, and that a client accepts every
// device that the inventory accepts.
func fuzzInventory(f *testing.F, name string) {
	f.Add(inventoryFiles[name])
	f.Add("")
	f.Add("[{\"address\":\"http://a\",\"labels\":{\"a\":\"\\u0041\"}}]")
	f.Add("{\"address\":\"http://a\"}\n{\"address\":")
	f.Add("address,label.x\nhttp://a,\"b \"\" c\"\n\"\n")
	f.Add("sep=;\nid;address;\na;http://a;\n;http://A:80/;;\n")
	f.Add("{\"address\":\"http://a\",\"labels\":{\"b\":\"\u00e5\",\"a\":\"x\"}}\n{\"address\":\"http://A:80/\",\"labels\":{\"a\":\"x\",\"b\":\"\u202e\"}}")
	f.Add("\xff\xfei\x00d\x00")
	f.Fuzz(func(t *testing.T, text string) {
		strict, err := Read(strings.NewReader(text), name, Options{MaxLine: 200, MaxDevices: 50, MaxErrors: 5})
		lenient, lenientErr := Read(strings.NewReader(text), name,
			Options{MaxLine: 200, MaxDevices: 50, MaxErrors: 5, SkipInvalid: true})
		if err == nil {
			if lenientErr != nil || !slices.EqualFunc(registered(strict), registered(lenient), sameDevice) {
				t.Fatalf("strict takes it, lenient otherwise: %v", lenientErr)
			}
		}
		if lenientErr != nil {
			return
		}
		if bad, total := lenient.Skipped(); len(bad) > 5 || len(bad) > total || lenient.Len() > 50 {
			t.Fatalf("%d bad of %d, %d devices", len(bad), total, lenient.Len())
		}
		if lenient.Len() > strings.Count(text, "http") {
			t.Fatal("more devices than addresses")
		}
		seen := map[endpoint.Key]bool{}
		for d := range lenient.All() {
			key, _ := endpoint.Fingerprint(d.ID, d.Address)
			if seen[key] || d.Validate() != nil {
				t.Fatalf("%+v: twice, or %v", d, d.Validate())
			}
			seen[key] = true
		}
		for d := range lenient.Entries(Filter{}) {
			for _, s := range append(slices.Collect(maps.Values(d.Labels)), d.ID, d.Location, d.Version) {
				if strings.ContainsFunc(s, func(r rune) bool {
					return unicode.Is(unicode.Bidi_Control, r) ||
						unicode.IsControl(r)
				}) || strings.TrimSpace(s) != s {
					t.Fatalf("%q was taken", s)
				}
			}
			if same, ok := lenient.Lookup(d.Device); !ok || !sameDevice(same, d) {
				t.Fatalf("%+v is looked up as %+v", d, same)
			}
		}
	})
}

// FuzzFast checks that encoding/json accepts what the fast parser accepts, with the same values.
func FuzzFast(f *testing.F) {
	f.Add(`{"id":"a","address":"http://a","labels":{"b":"c","a":"d"},"location":"\u00e5","version":"1"}`)
	f.Add(`{"id":"a","address":"http://\u00e5"}`)
	f.Add(` { "id" : "a\"", "labels" : { } } `)
	f.Add(`{"id":"a","id":"b"}`)
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		{
			l := newLoader("f.jsonl", Options{}.withDefaults("f.jsonl"))
			var want struct {
				ID, Address, Location, Version string
				Labels                         map[string]string
			}
			wrong := json.Unmarshal([]byte(text), &want)
			l.texts[want.Version], l.places[want.Location] = want.Version, want.Location
			var key []byte
			for _, name := range slices.Sorted(maps.Keys(want.Labels)) {
				key = appendLabel(appendLabel(key, name), want.Labels[name])
			}
			l.labels[string(key)] = want.Labels
			got, ok := l.fastJSON([]byte(text))
			if !ok {
				return
			}
			if wrong != nil || !sameDevice(got, Entry{delivery.Device{ID: want.ID, Address: want.Address}, want.Labels,
				want.Location, want.Version}) {
				t.Fatalf("got %+v, want %+v, %v", got, want, wrong)
			}
		}
	})
}

func sameDevice(a, b Entry) bool {
	return a.Device == b.Device && a.Location == b.Location && a.Version == b.Version && maps.Equal(a.Labels, b.Labels)
}

func FuzzJSON(f *testing.F)      { fuzzInventory(f, "devices.json") }
func FuzzJSONLines(f *testing.F) { fuzzInventory(f, "devices.jsonl") }
func FuzzCSV(f *testing.F)       { fuzzInventory(f, "devices.csv") }
