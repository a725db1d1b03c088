package scenarios

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

// compiledSchema returns the schema compiled by an independent validator, which also checks it
// against the meta-schema of its draft.
func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("scenario.json", document))
	s, err := c.Compile("scenario.json")
	require.NoError(t, err)
	require.Equal(t, 2020, s.DraftVersion)
	return s
}

// asJSON returns a YAML document as an editor's validator sees it. It returns an error if it can't
// be read.
func asJSON(text []byte) (any, error) {
	var document any
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	converted, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	return jsonschema.UnmarshalJSON(bytes.NewReader(converted))
}

func requireValid(t testing.TB, s *jsonschema.Schema, text []byte) {
	t.Helper()
	document, err := asJSON(text)
	require.NoError(t, err)
	require.NoError(t, s.Validate(document), "%s", text)
}

func TestSchemaAcceptsValidFiles(t *testing.T) {
	s := compiledSchema(t)
	for _, name := range CatalogNames() {
		source, err := CatalogFile(name)
		require.NoError(t, err)
		requireValid(t, s, source)
		spec, err := Find(name)
		require.NoError(t, err)
		shown, err := spec.YAML()
		require.NoError(t, err)
		requireValid(t, s, shown)
	}
	for _, text := range []string{
		"name: x\n",
		"name: x\nextends: rollout\nload: {rate: 5/s, spike: {rate: 5/s}, burst: {every: 1s}}\n", // the base may have any model
		"name: x\nextends: ../bases/a.yml\nfleet: {groups: [{name: a, share: 1, tls: good}]}\n",
		"name: x\nload: {model: once, think: 0, duration: 0s}\n",
		"name: x\nload: {model: poisson, rate: 90/m}\n",
		"name: x\nload: {model: constant, rate: .5 / s, duration: 1h2m3.5s, think: 0s, arrivals: \"\", stages: []}\n",
		"name: x\nload: {model: ramp, rate: 0/s, ramp: {to: 5/s}, duration: 5s, arrivals: poisson}\n",
		"name: x\nload: {model: spike, rate: 5/s, duration: 5s, spike: {rate: 0/s, for: 1s}, arrivals: even}\n",
		"name: x\nload: {model: burst, burst: {size: 3}}\n",
		"name: x\nload: {model: stages, stages: [{rate: 0/s, to: 5/s, for: 1s}, {for: 1s}]}\n",
		"name: x\nload: {model: breakpoint, rate: 50/s, breakpoint: {to: 500/s, within: 1%}}\n",
		"name: x\nload: {model: rollout, rate: 50/s, rollout: {waves: [{share: 1%, soak: 1s}, {share: 1}], abort_share: 5%, abort_least: 9, requeue: {turns: -1, after: 5s}}}\n",
		"name: x\nclient: {defaults: shipped}\n",
		"name: x\nfleet: {groups: [{name: slow, share: 10%}]}\nthresholds: [\"p99-ns/op{op=push, group=slow} < 2s\", \"failed/device{group=rest} == 0\"]\n",
		"name: x\nload: {duration: 10s}\nthresholds: [p99-ns/op < 1s in every 5s, {threshold: ops/s > 1/s in every 1s for 3 windows, abort: true}]\n",
		"name: x\nthresholds: [failed/device == 0, \"p99-ns/op{op=push} < 20ms\", ops/s >= 100/s, peak-rss-B < 64MiB, retries/device<=5%, allocs/op < 1e3]\n",
		"name: x\ndescription: y\nsuite: [rollout, ./other.yaml]\n",
		"name: x\nclient: {good_reads: 2, poll: 10ms, poll_for: 1m, headers: [{name: X-Tenant, value: a}, {name: Authorization, env: TOKEN}]}\n",
		"name: x\nfleet: {capacity: 300/s, behavior: {require: [{name: X-Tenant}, {name: X-A, value: b}]}}\n",
		"name: x\nartifact: {size: 1024}\n",
		"name: x\nartifact: {size: 1.5KiB, file: \"\"}\n",
		"name: x\nfleet: {tls: good, addressing: port, devices: 5000, groups: [{name: a, share: 1, tls: stall}]}\n",
		"name: x\nfleet: {addressing: port, behavior: {faults: [{kind: refuse}, {kind: status, status: 599, retry_after: date(2s)}, {kind: slow-read, rate: 5}]}}\n",
		"name: x\nfleet: {behavior: {faults: [{kind: reset-mid-upload, share: 1e-1, after_bytes: \"uniform(1, 5)\"}, {kind: redirect-307, origin: other}]}}\n",
		"name: x\nfleet: {behavior: {fail_status: 0, network: {receive_buffer: 0, max_connections: 3, bandwidth: 5}}}\n",
	} {
		spec, err := Parse("x.yaml", []byte(text))
		if !strings.Contains(text, extendsKey) {
			require.NoError(t, err, text)
			shown, err := spec.YAML()
			require.NoError(t, err)
			requireValid(t, s, shown)
		}
		requireValid(t, s, []byte(text))
	}
}

// TestSchemaRefusesMistakes checks that the schema rejects every planted mistake that a schema can
// find.
func TestSchemaRefusesMistakes(t *testing.T) {
	s := compiledSchema(t)
	refused := 0
	for _, row := range plantedMistakes() {
		document, err := asJSON([]byte(row.text))
		if err != nil {
			require.True(t, row.beyond, "an unreadable document must be marked as beyond the schema: %s\n%v", row.text, err)
			continue
		}
		if document == nil {
			continue // an editor doesn't validate an empty document
		}
		if row.beyond {
			require.NoError(t, s.Validate(document), "marked as beyond the schema, which rejects it: %s", row.text)
			continue
		}
		require.Error(t, s.Validate(document), row.text)
		refused++
	}
	require.Greater(t, refused, 50)
	for _, text := range []string{"name: x\nextends: rolout\n", "name: x\nextends: 3\n", "extends: rollout\n",
		"name: x\nextends: rollout\nlod: 1\n"} {
		document, err := asJSON([]byte(text))
		require.NoError(t, err)
		require.Error(t, s.Validate(document), text)
	}
}

// TestFieldTable checks that the table has every field of every struct, in order, and nothing else.
func TestFieldTable(t *testing.T) {
	for of, s := range fieldTable() {
		for _, f := range s.fields {
			require.NotEqual(t, -1, fieldIndex(of, f.Key),
				"no field of %s has the key %s: take its row out of the table of fields", of, f.Key)
		}
	}
	seen := map[reflect.Type]bool{}
	var walk func(Field)
	walk = func(in Field) {
		of := in.Type
		_, text := reflect.New(of).Interface().(encoding.TextUnmarshaler)
		require.Equal(t, text, in.isQuantity(), "%s: say in typeForms how it is written", of)
		switch {
		case in.isMapping():
			table := sections()[of]
			var keys []string
			for i := range of.NumField() {
				f := of.Field(i)
				key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				inJSON, _, _ := strings.Cut(f.Tag.Get("json"), ",")
				require.Equal(t, key, inJSON)
				keys = append(keys, key)
				in, ok := table.field(key)
				require.True(t, ok, "%s.%s: say in the table of fields what it is", of, key)
				require.Equal(t, i, in.index, "%s.%s", of, key)
				require.NotEmpty(t, in.Doc, "%s.%s", of, key)
				require.NotContains(t, strings.ReplaceAll(in.doc(), PprofPlaceholder, ""), "{", "%s.%s", of, key)
				if !seen[of] {
					walk(in)
				}
			}
			require.Equal(t, keys, table.keys(), of)
			seen[of] = true
		case in.isList():
			walk(in.member())
		case in.isQuantity():
			if in.form.mapping != nil {
				walk(Field{}.withType(in.form.mapping))
			}
		case in.isText():
			require.Equal(t, in.form.name != "", of != reflect.TypeFor[string](), of)
		default:
			require.Contains(t, []reflect.Kind{reflect.Bool, reflect.Int, reflect.Uint64}, of.Kind())
		}
	}
	walk(specField())
	require.Len(t, sections(), len(seen), "the table has a struct that scenarios don't contain")
}

// A bound is the range of a numeric field by the table.
type bound struct {
	low, high json.Number
	orZero    bool
	most      int // the most members of a list
}

// tableBounds returns the bounds in the table, by section and key.
func tableBounds() map[string]bound {
	all := map[string]bound{}
	for _, s := range sections() {
		for _, f := range s.fields {
			var b bound
			number := func(x float64) json.Number { return json.Number(fmt.Sprint(x)) }
			switch {
			case f.isMapping():
			case f.isQuantity():
				if f.form.high > 0 && f.Max > 0 {
					b.low, b.high, b.orZero = number(f.Min), number(f.Max), f.OrZero
				} else if f.form.high > 0 && f.Min > 0 {
					b.low = number(f.Min)
				}
			case f.isList():
				b.most = int(f.Max)
			case f.Type.Kind() == reflect.Int:
				b.orZero = f.OrZero
				if f.Min != noMin {
					b.low = json.Number(strconv.FormatInt(int64(f.Min), 10))
				}
				if f.Max > 0 {
					b.high = json.Number(strconv.FormatInt(int64(f.Max), 10))
				}
			case f.Type.Kind() == reflect.Uint64:
				b.low, b.high = "0", json.Number(strconv.FormatUint(math.MaxUint64, 10))
			}
			all[s.name+"."+f.Key] = b
		}
	}
	return all
}

// TestSchemaBounds checks that Parse accepts the bounds of whole numbers, and rejects the next
// number beyond.
func TestSchemaBounds(t *testing.T) {
	base := func(field string) string {
		switch {
		case strings.HasPrefix(field, "Burst."):
			return "load: {model: burst, burst: {%s: %s}}"
		case strings.HasPrefix(field, "RolloutSpec."):
			return "load: {model: rollout, rollout: {%s: %s}}"
		case strings.HasPrefix(field, "RequeueSpec."):
			return "load: {model: rollout, rollout: {requeue: {%s: %s}}}"
		case strings.HasPrefix(field, "Spec."):
			return "%s: %s"
		case strings.HasPrefix(field, "FleetSpec."):
			return "fleet: {addressing: path, %s: %s}"
		case strings.HasPrefix(field, "LoadSpec."):
			return "load: {%s: %s}"
		case strings.HasPrefix(field, "ClientSpec."):
			return "client: {command: ['true'], %s: %s}"
		case strings.HasPrefix(field, "ArtifactSpec."):
			return "artifact: {%s: %s}"
		case strings.HasPrefix(field, "Behavior."):
			return "fleet: {behavior: {%s: %s}}"
		case strings.HasPrefix(field, "Network."):
			return "fleet: {behavior: {network: {%s: %s}}}"
		case strings.HasPrefix(field, "Fault."):
			return "fleet: {behavior: {faults: [{kind: garbage, %s: %s}]}}"
		case field == "Shard.index":
			return "load: {workers: 4096}\nshard: {count: 4096, %s: %s}"
		case field == "Shard.count":
			return "load: {workers: 4096}\nshard: {%s: %s}"
		case strings.HasPrefix(field, "Breakpoint."):
			return "load: {model: breakpoint, rate: 10/s, breakpoint: {to: 20/s, %s: %s}}"
		}
		t.Fatalf("%s: say how a scenario has one", field)
		return ""
	}
	well := func(field, value string) bool {
		_, key, _ := strings.Cut(field, ".")
		text := fmt.Sprintf(base(field), key, value)
		if field == "FleetSpec.devices" && len(value) > len("16711679") { // so many there are only in shards
			text += "\nshard: {count: 8}"
		}
		_, err := Parse("x.yaml", []byte("name: x\n"+text+"\n"))
		return err == nil
	}
	next := func(n json.Number, by int64) string {
		if f, err := strconv.ParseFloat(string(n), 64); err == nil && f != float64(int64(f)) {
			return strconv.FormatFloat(f*(1+float64(by)/100), 'g', -1, 64)
		}
		if n == "18446744073709551615" {
			return "18446744073709551616"
		}
		i, err := n.Int64()
		require.NoError(t, err)
		return strconv.FormatInt(i+by, 10)
	}
	checked := 0
	for field, f := range tableBounds() {
		if f.low != "" {
			require.True(t, well(field, string(f.low)), "%s: %s", field, f.low)
			require.False(t, well(field, next(f.low, -1)) && !(f.orZero && next(f.low, -1) == "0"), "%s below %s", field, f.low)
			checked++
		}
		if f.high != "" {
			require.True(t, well(field, string(f.high)), "%s: %s", field, f.high)
			require.False(t, well(field, next(f.high, 1)), "%s above %s", field, f.high)
			checked++
		}
		if f.orZero {
			require.True(t, well(field, "0"), "%s: 0", field)
		}
	}
	require.Greater(t, checked, 25)

	for _, list := range []struct{ key, before, one, after string }{
		{"FleetSpec.groups", "fleet: {groups: [", "{name: a%d, share: 0.001}", "]}"},
		{"LoadSpec.stages", "load: {model: stages, stages: [", "{rate: %d/s, for: 1s}", "]}"},
		{"Spec.suite", "suite: [", "a%d", "]"},
		{"ClientSpec.headers", "client: {headers: [", "{name: X-%d, value: a}", "]}"},
		{"RolloutSpec.waves", "load: {model: rollout, rollout: {waves: [", "{share: 0.00%03d}", "]}}"},
		{"Behavior.require", "fleet: {behavior: {require: [", "{name: X-%d}", "]}}"},
		{"Behavior.faults", "fleet: {behavior: {faults: [", "{kind: garbage, first: %d}", "]}}"},
	} {
		text := func(n int) []byte {
			var all []string
			for i := range n {
				all = append(all, fmt.Sprintf(list.one, i+1))
			}
			return []byte("name: x\n" + list.before + strings.Join(all, ", ") + list.after)
		}
		_, err := Parse("x.yaml", text(tableBounds()[list.key].most))
		require.NoError(t, err, list.key)
		_, err = Parse("x.yaml", text(tableBounds()[list.key].most+1))
		require.Error(t, err, list.key)
	}
}

// textTypes returns the types that are written as one text, with the patterns of their schemas.
func textTypes() map[encoding.TextUnmarshaler]*regexp.Regexp {
	all := map[encoding.TextUnmarshaler]*regexp.Regexp{}
	for t, form := range typeForms() {
		if v, ok := reflect.New(t).Interface().(encoding.TextUnmarshaler); ok && !strings.HasPrefix(form.name, "Threshold") {
			all[v] = regexp.MustCompile(form.pattern)
		}
	}
	return all
}

// TestTextPatterns checks that a pattern matches what UnmarshalText accepts, apart from bounds.
func TestTextPatterns(t *testing.T) {
	texts := []string{
		"", "0", "5", "5s", "1m30s", "0.5h", ".5s", "5.s", "5 s", "s", "5us", "5µs", "5μs", "+5ms", "5d", "5s5", " 5s ",
		"10/s", "1.5/m", "2 / h", "/s", "10/d", "10 per s", "1e3/s",
		"64KiB", "64 KiB", "1024", "1.5KiB", "10M", "10KB", "KiB", "1 KiBs", "-1",
		"uniform(1ms, 5ms)", "uniform ( 1ms,5ms )", "uniform(1ms)", "uniform(1ms, 5ms", "uniform(1, 5)",
		"lognormal(p50=5ms, p99=50ms)", "lognormal(5ms, 50ms)", "lognormal(p50=5, p99=50)", "lognormal(p50= 5, p99= 50)",
		"normal(1ms, 5ms)", "4096", "4096.0", "0.5", "50%", "1e-1", "1%%", "% 5", ".5", "5.", "0.5 ", "2s", "date(2s)",
		"date()", "date(2)", "soon",
	}
	for v, pattern := range textTypes() {
		taken := 0
		for _, text := range texts {
			err := v.UnmarshalText([]byte(text))
			if err != nil && outOfBounds(v, text) {
				continue
			}
			require.Equal(t, err == nil, pattern.MatchString(text), "%T %q: %v", v, text, err)
			if err == nil {
				taken++
			}
		}
		require.Greater(t, taken, 1, "%T", v)
	}
}

// outOfBounds reports whether a text has the right form but a value out of bounds, which a pattern
// can't express.
func outOfBounds(v encoding.TextUnmarshaler, text string) bool {
	switch v.(type) {
	case *random.Share:
		return slices.Contains([]string{"5", "1024", "4096", "4096.0", "5."}, text)
	case *Bytes:
		return slices.Contains([]string{"0.5", ".5", "0.5 "}, text)
	case *fault.RetryAfter:
		return text == "0"
	}
	return false
}

// FuzzTextPatterns checks that an editor never rejects what a file may contain. Signs, hexadecimal
// numbers and white space beyond ASCII are excluded: only the parsers accept them.
func FuzzTextPatterns(f *testing.F) {
	for _, text := range []string{"5s", "10/s", "64KiB", "uniform(1ms, 5ms)", "lognormal(p50=5, p99=50)", "10%",
		"date(2s)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "-xX_\v") || strings.HasPrefix(text, "date(") && !strings.HasSuffix(text, ")") ||
			!isASCII(text) {
			return
		}
		for v, pattern := range textTypes() {
			if v.UnmarshalText([]byte(text)) == nil {
				require.Regexp(t, pattern, text, "%T", v)
			}
		}
	})
}

func isASCII(s string) bool { return strings.IndexFunc(s, func(r rune) bool { return r > 126 }) < 0 }
