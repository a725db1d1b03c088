package abtest

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"

	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/scenarios"
)

// A slowdown is a statement at the beginning of a function of the delivery package, or of one below it.
type slowdown struct {
	file, function string // the file, below the delivery package, and the function's first line
	name           string // as profiles have it
	statement      string
	imports        string
}

const (
	ofDelivery = "github.com/fleetmark/fleetmark/delivery"

	aHash   = "_ = plantedsha.Sum256(plantedBytes[:%d])"
	aCopy   = "var plantedTo [4096]byte; for range %d { copy(plantedTo[:], plantedBytes[:4096]) }"
	aLock   = "plantedLock.Lock(); _ = plantedsha.Sum256(plantedBytes[:%d]); plantedLock.Unlock()"
	objects = "for range %d { _ = make([]byte, plantedSize) }"
	text    = "for range %d { _ = plantedfmt.Sprintf(\"%%s %%d %%v\", \"device\", plantedSize, 3.25) }"

	importsHash = `import plantedsha "crypto/sha256"`
	importsText = `import plantedfmt "fmt"`
)

// slowdowns returns slowdowns of some 5 to 15% of a push, each in another function.
func slowdowns() []slowdown {
	type work struct{ statement, imports string }
	hash := func(n int) work { return work{fmt.Sprintf(aHash, n), importsHash} }
	lock := func(n int) work { return work{fmt.Sprintf(aLock, n), importsHash} }
	moves := func(n int) work { return work{fmt.Sprintf(aCopy, n), ""} }
	makes := func(n int) work { return work{fmt.Sprintf(objects, n), ""} }
	formats := func(n int) work { return work{fmt.Sprintf(text, n), importsText} }
	with := func(file, function, name string) func(work) slowdown {
		return func(w work) slowdown {
			return slowdown{file, function, path.Join(ofDelivery, path.Dir(file)) + "." + name, w.statement, w.imports}
		}
	}
	return []slowdown{
		with("client.go", "func (c *Client) Push(ctx context.Context, d Device, u *Update) error {",
			"(*Client).Push")(hash(3000)),
		with("client.go", "func (c *Client) admit(op Op, d Device) *Error {", "(*Client).admit")(formats(6)),
		with("client.go", "func (c *Client) record(ctx context.Context, d Device, e *Error) {",
			"(*Client).record")(moves(30)),
		with("client.go", "func (c *Client) push(ctx context.Context, d Device, u *Update, fresh bool) *Error {",
			"(*Client).push")(makes(6)),
		with("client.go", "func (c *Client) do(ctx context.Context, op Op, d Device, s *session) *Error {",
			"(*Client).do")(lock(2500)),
		with("client.go", "func (c *Client) send(ctx context.Context, op Op, d Device, s *session) (*exchange.Failure, *redirectError) {",
			"(*Client).send")(hash(4000)),
		with("client.go", "func (c *Client) roundTrip(ctx context.Context, op Op, d Device, s *session) *exchange.Failure {",
			"(*Client).roundTrip")(formats(8)),
		with("protocol.go", "func (native) askPush(r *exchange.Request, d Device, u *Update) {",
			"native.askPush")(moves(40)),
		with("protocol.go", "func nameDevice(r *exchange.Request, d Device) {", "nameDevice")(hash(2500)),
		with("protocol.go", "func (native) readPush(r *exchange.Response, u *Update) (Class, error) {",
			"native.readPush")(makes(8)),
		with("answer.go", "func (v *updateView) parse(b []byte) error {", "(*updateView).parse")(formats(7)),
		with("answer.go", "func text(s *jsonscan.Scanner, to *[]byte) bool {", "text")(lock(3000)),
		with("internal/lean/request.go", "func (r *request) appendHead(b []byte, common *exchange.CommonHeader) []byte {",
			"(*request).appendHead")(hash(3500)),
		with("internal/lean/transport.go", "func (t *transport) exchange(ctx context.Context, c *conn, r *request, now time.Time) (unseen bool, f *exchange.Failure) {",
			"(*transport).exchange")(moves(35)),
		with("internal/lean/transport.go", "func (t *transport) sendAndRead(ctx context.Context, c *conn, r *request, now time.Time) *exchange.Failure {",
			"(*transport).sendAndRead")(makes(7)),
		with("internal/lean/transport.go", "func (t *transport) sendDeadline(c *conn, r *request, now time.Time) time.Time {",
			"(*transport).sendDeadline")(formats(6)),
		with("internal/lean/transport.go", "func (t *transport) send(c *conn, r *request) error {",
			"(*transport).send")(lock(3500)),
		with("internal/lean/transport.go", "func (t *transport) receive(c *conn, r *request) *exchange.Failure {",
			"(*transport).receive")(hash(3000)),
		with("internal/lean/pool.go", "func (p *connPool) get(key connKey, now time.Time) (*conn, error) {",
			"(*connPool).get")(moves(30)),
		with("internal/lean/pool.go", "func (p *connPool) put(c *conn) {", "(*connPool).put")(formats(7)),
	}
}

// helpers is the code that the planted statements use, and a stopwatch that measures one in sixteen
// of them, independently of profiles. It ignores a measurement so long that the process must have
// been interrupted.
const helpers = `package %s

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

var (
	plantedBytes [8 << 10]byte
	plantedSize  = 1000
	plantedLock  sync.Mutex

	plantedSum, plantedCount atomic.Int64
)

var _ = &plantedLock

func plantedHold() { time.Sleep(time.Microsecond) }

var _ = plantedHold

func plantedNow() int64 { return time.Now().UnixNano() }

func plantedTook(ns int64) {
	if ns < 30_000 {
		plantedSum.Add(ns)
		if plantedCount.Add(1)%%1000 == 0 {
			_ = os.WriteFile(%q, fmt.Appendln(nil, plantedSum.Load(), plantedCount.Load()), 0o600)
		}
	}
}
`

// stopwatch wraps a statement so that it is sometimes measured.
const stopwatch = "plantedBegan := plantedNow(); { %s }; if plantedBegan&15 == 0 { plantedTook(plantedNow() - plantedBegan) }"

// took returns the time that the stopwatch measured, in nanoseconds.
func took(tb testing.TB, program string) float64 {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(filepath.Dir(program), "took"))
	require.NoError(tb, err)
	var sum, count float64
	_, err = fmt.Sscan(string(data), &sum, &count)
	require.NoError(tb, err)
	return sum / count
}

// build builds a driver from the tree with a slowdown in it.
func (s slowdown) build(tb testing.TB, root, work string) string {
	tb.Helper()
	planted := filepath.Join(root, "delivery", filepath.FromSlash(s.file))
	data, err := os.ReadFile(planted)
	require.NoError(tb, err)
	require.Equal(tb, 1, strings.Count(string(data), s.function+"\n"), "%s: %s", s.file, s.function)
	changed := strings.Replace(string(data), s.function+"\n", s.function+"\n"+s.statement+"\n", 1)
	pkg := filepath.Base(filepath.Dir(planted))
	clause := "package " + pkg + "\n"
	changed = strings.Replace("\n"+changed, "\n"+clause, "\n"+clause+s.imports+"\n", 1)
	dir, err := os.MkdirTemp(work, "planted-*")
	require.NoError(tb, err)
	replace := map[string]string{}
	for name, text := range map[string]string{filepath.Base(planted): changed, "planted.go": fmt.Sprintf(helpers, pkg,
		filepath.Join(dir, "took"))} {
		to := filepath.Join(dir, name)
		require.NoError(tb, os.WriteFile(to, []byte(text), 0o600))
		replace[filepath.Join(filepath.Dir(planted), name)] = to
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(tb, err)
	require.NoError(tb, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	program := filepath.Join(dir, "fleetmark")
	require.NoError(tb, driverOf(root).compile(tb.Context(), program, "-overlay="+filepath.Join(dir, "overlay.json")))
	return program
}

// driverOf returns how the driver of a source tree is built.
func driverOf(root string) recipe {
	return recipe{
		project: &Project{Dir: root, Build: "go build -o {out} ./cmd/fleetmark"},
		tree:    &checkout.Tree{Side: checkout.Now, Root: root, Dir: root}, goflags: os.Getenv("GOFLAGS"),
	}
}

// tree returns the root of this project's source, and a driver that was built from it unchanged.
func tree(tb testing.TB, work string) (root, program string) {
	tb.Helper()
	root, err := childproc.Output(tb.Context(), ".", "go", "list", "-m", "-f", "{{.Dir}}")
	require.NoError(tb, err)
	program = filepath.Join(work, "as-it-stands")
	require.NoError(tb, driverOf(root).compile(tb.Context(), program))
	return root, program
}

func explainOptions(tb testing.TB, base, now string, kind profiles.Kind) profileOptions {
	tb.Helper()
	spec, err := scenarios.Find("gate-push")
	require.NoError(tb, err)
	return profileOptions{
		Builds: Builds{Base: Side{Program: base}, Now: Side{Program: now}}, Spec: spec, FleetCommand: []string{base, "fleet", "--driven"},
		Dir: tb.TempDir(), Kind: kind,
	}
}

// owned returns options that look for causes among this project's functions.
func owned() explain.Options {
	return explain.Options{Own: []string{"github.com/fleetmark/fleetmark/"}}
}

// BenchmarkExplainPlanted counts how often a slowdown planted in the source is among the first three
// causes, and how often its share of the whole difference, measured by a stopwatch around the
// statement, lies in the reported interval. It takes some 45 minutes: use -benchtime 1x -timeout 2h.
func BenchmarkExplainPlanted(b *testing.B) {
	for range b.N {
		root, asItStands := tree(b, b.TempDir())
		found, held, width := 0, 0, 0.0
		for i, s := range slowdowns() {
			s.statement = fmt.Sprintf(stopwatch, s.statement)
			program := s.build(b, root, b.TempDir())
			o := explainOptions(b, asItStands, program, profiles.CPU)
			o.Seed = uint64(i)
			e, err := explainSides(b.Context(), o, owned())
			require.NoError(b, err)
			// The rest of the difference is the effect of a longer push on everything else.
			ns := took(b, program)
			share, place := ns/e.Total.Delta, 0
			for k, c := range e.Causes[:min(3, len(e.Causes))] {
				if c.Function == s.name {
					place = k + 1
					found++
					if c.ShareLow != nil && *c.ShareLow <= share && share <= *c.ShareHigh {
						held++
						width += *c.ShareHigh - *c.ShareLow
					}
				}
			}
			b.Logf("%s: place %d; planted %.0f ns, %.0f%% of the whole; %s of %s", s.name, place, ns, 100*share,
				e.Changed(e.Total), e.Sample)
			for _, c := range e.Causes {
				b.Logf("    %s %s, %s of the whole", c.Function, e.Changed(c.Change), c.ShareText())
			}
		}
		b.ReportMetric(float64(found), "found-of-20")
		b.ReportMetric(float64(held), "held-of-20")
		b.ReportMetric(width/float64(max(1, held)), "interval-width")
		if found < 18 || held < 16 {
			b.Errorf("%d of 20 found, want 18; %d intervals hold what was planted, want 16", found, held)
		}
	}
}

// BenchmarkExplainNothing counts how often a cause is named although nothing was planted. It takes some
// 20 minutes.
func BenchmarkExplainNothing(b *testing.B) {
	for range b.N {
		_, asItStands := tree(b, b.TempDir())
		named := 0
		for i := range 20 {
			o := explainOptions(b, asItStands, asItStands, profiles.CPU)
			o.Seed = uint64(i)
			e, err := explainSides(b.Context(), o, owned())
			require.NoError(b, err)
			if len(e.Causes)+len(e.Functions) > 0 {
				named++
				for _, c := range e.Causes {
					b.Logf("%s %s", c.Function, e.Changed(c.Change))
				}
			}
		}
		b.ReportMetric(float64(named), "named-of-20")
		if named > 1 {
			b.Errorf("something was named in %d of 20 where nothing changed, want 1 at most", named)
		}
	}
}

// TestSlowdownsHaveTheirPlace checks that the functions that statements are planted into are where the
// table says.
func TestSlowdownsHaveTheirPlace(t *testing.T) {
	for _, s := range slowdowns() {
		data, err := os.ReadFile(filepath.Join("..", "..", "delivery", filepath.FromSlash(s.file)))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(data), s.function+"\n"), "%s: %s", s.file, s.function)
	}
}

// TestPlantedIsFound checks that the exact call site of one more object is found, with its exact size,
// and the line that waits for a lock that another operation holds.
func TestPlantedIsFound(t *testing.T) {
	testenv.Slow(t)
	if testenv.Raced {
		t.Skip("the programs that it builds are the same without the race detector")
	}
	root, asItStands := tree(t, t.TempDir())
	for _, at := range []int{0, 3, 9, 12, 18} {
		s := slowdowns()[at]
		s.statement, s.imports = "_ = make([]byte, plantedSize)", ""
		t.Run(s.name, func(t *testing.T) {
			o := explainOptions(t, asItStands, s.build(t, root, t.TempDir()), profiles.Allocs)
			o.Each = turnTime / 5
			e, err := explainSides(t.Context(), o, owned())
			require.NoError(t, err)
			require.NotEmpty(t, e.Causes, "%+v", e.Total)
			c := e.Causes[0]
			require.Equal(t, s.name, c.Function)
			require.Contains(t, c.Lines[0].Name, path.Base(s.file)+":")
			require.InDelta(t, 1024, c.Delta, 0.01*1024) // bytes of an operation: the size class of 1000
		})
	}
	t.Run("a wait", func(t *testing.T) {
		s := slowdowns()[0]
		s.statement, s.imports = "plantedLock.Lock(); plantedHold(); plantedLock.Unlock()", ""
		o := explainOptions(t, asItStands, s.build(t, root, t.TempDir()), profiles.Block)
		o.Each = turnTime / 5
		which := owned()
		which.Within = deliveryFunctions()
		e, err := explainSides(t.Context(), o, which)
		require.NoError(t, err)
		require.NotEmpty(t, e.Causes, "%+v", e.Total)
		c := e.Causes[0]
		require.Equal(t, s.name, c.Function)
		require.Contains(t, c.Lines[0].Name, path.Base(s.file)+":")
		require.Contains(t, c.Callees[0].Name, "sync.(*Mutex).Lock")
		require.InDelta(t, 1, c.Share, 0.1) // nothing else in the client waits
	})
}
