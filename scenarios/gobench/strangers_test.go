package gobench

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/compare"
	"github.com/fleetmark/fleetmark/results/report"
)

// strangersVariable names the environment variable that says how often TestCompare_otherModules
// runs each case. 10 takes some hours, on a machine without other load. The modules must be in the
// module cache, or a proxy must be reachable.
const strangersVariable = "FLEETMARK_STRANGERS"

// A stranger is an independently written module with a hot function that can be made worse.
type stranger struct {
	module  string
	dir     string // the package's directory in the module
	name    string // the package's name
	bench   string // matches three benchmarks that spend most of their time in the function
	file    string // the file that the function is in
	from    string // how its declaration begins
	to      string // the same under another name
	wrapper string // a function with the original name that calls the renamed one; EXTRA stands for extra work
	again   string // a call of the renamed function
	own     string // a prefix of the names of the functions that may be the cause
}

func strangers() []stranger {
	return []stranger{
		{
			module: "github.com/valyala/fasthttp", dir: ".", name: "fasthttp", bench: "^BenchmarkNormalizeHeaderKey",
			file: "header.go",
			from: "func normalizeHeaderKey(", to: "func normalizeHeaderKeyOnce(",
			wrapper: "func normalizeHeaderKey(b []byte, disable bool) {\n\tEXTRA\n\tnormalizeHeaderKeyOnce(b, disable)\n}\n",
			again:   "normalizeHeaderKeyOnce(b, disable)", own: "github.com/valyala/fasthttp.normalizeHeaderKey",
		},
		{
			module: "github.com/klauspost/compress", dir: ".", name: "compress", bench: "^BenchmarkEstimate$/5k",
			file: "compressible.go",
			from: "func Estimate(", to: "func estimateOnce(",
			wrapper: "func Estimate(b []byte) float64 {\n\tEXTRA\n\treturn estimateOnce(b)\n}\n",
			again:   "estimateOnce(b)", own: "github.com/klauspost/compress.",
		},
		{
			module: "golang.org/x/text", dir: "width", name: "width", bench: "^BenchmarkNarrow(ASCII|CJK|Other)$",
			file: "width/transform.go",
			from: "func (narrowTransform) Transform(", to: "func (narrowTransform) transformOnce(",
			wrapper: "func (t narrowTransform) Transform(dst, src []byte, atEOF bool) (int, int, error) {\n\tEXTRA\n\treturn t.transformOnce(dst, src, atEOF)\n}\n",
			again:   "t.transformOnce(dst, src, atEOF)", own: "golang.org/x/text/width.",
		},
	}
}

// worse returns the package's files with extra work in the function.
func (s stranger) worse(t *testing.T, repo *repository, imports, extra string) map[string]string {
	text, err := os.ReadFile(filepath.Join(repo.dir, s.file))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), s.from))
	return map[string]string{
		s.file: strings.Replace(string(text), s.from, s.to, 1),
		filepath.Join(s.dir, "injected.go"): "package " + s.name + "\n\n" + imports + "\n" + strings.Replace(s.wrapper,
			"EXTRA", extra, 1),
	}
}

// copyModule copies a module from the module cache into a repository.
func (s stranger) copyModule(t *testing.T) *repository {
	out, err := exec.Command("go", "mod", "download", "-json", s.module).Output()
	require.NoError(t, err)
	var found struct{ Dir, Version string }
	require.NoError(t, json.Unmarshal(out, &found))
	t.Logf("%s %s", s.module, found.Version)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(found.Dir)))
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	}))
	r := &repository{t, dir}
	r.git("init", "-q")
	r.commit(nil)
	return r
}

// TestCompare_otherModules counts how often the comparison is right about benchmarks of other
// modules if nothing changed, if a hot function takes a tenth longer, and if it allocates once
// more. Beside that it shows benchstat's verdict on the same pair, from ten samples of one side
// followed by ten of the other.
func TestCompare_otherModules(t *testing.T) {
	runs, err := strconv.Atoi(os.Getenv(strangersVariable))
	if err != nil {
		t.Skip("set " + strangersVariable + "=10, and take some hours")
	}
	for _, s := range strangers() {
		t.Run(s.name, func(t *testing.T) {
			repo := s.copyModule(t)
			original, err := os.ReadFile(filepath.Join(repo.dir, s.file))
			require.NoError(t, err)
			const random = "import injectedrand \"math/rand/v2\"\n"
			slower := s.worse(t, repo, random, "if injectedrand.Uint32()%10 == 0 {\n\t\t"+s.again+"\n\t}")
			cases := []struct {
				name  string
				files map[string]string
				want  results.Verdict
				runs  int
			}{
				{"nothing", map[string]string{s.file: string(original) + "\n// Nothing changed.\n",
					filepath.Join(s.dir, "injected.go"): "package " + s.name + "\n\nfunc injectedNever() int { return 1 }\n"},
					results.Pass, runs},
				{"+10%", slower, results.Regressed, runs},
				{"+1 allocation", s.worse(t, repo, "var injectedSink *[4]uint64\n", "injectedSink = new([4]uint64)"),
					results.Regressed, max(1, runs/4)},
			}
			for _, c := range cases {
				repo.write(c.files)
				right, named, plain, compared, seconds := 0, 0, 0, 0, []float64{}
				for i := range c.runs {
					began := time.Now()
					out, err := Compare(t.Context(), Options{Dir: filepath.Join(repo.dir, s.dir), Base: "HEAD", Bench: s.bench,
						Seed: uint64(i), Scratch: t.TempDir(), Out: t.TempDir()})
					require.NoError(t, err)
					took := time.Since(began).Seconds()
					seconds = append(seconds, took)
					if out.Judgement.Verdict == c.want {
						right++
					}
					cause := "nothing"
					if out.Judgement.Verdict == results.Regressed {
						cause = s.named(t, out, c.name)
						if strings.HasPrefix(cause, s.own) {
							named++
						}
					}
					text, ok := "", true
					if c.name != "+1 allocation" && i < (runs+1)/2 { // benchstat's run takes longer than the comparison
						compared++
						text, ok = s.benchstat(t, repo, c.want)
						if ok {
							plain++
						}
					}
					t.Logf("%s %d: %s: %s; %.0f s, %d rounds, cause %s; benchstat: right %t: %s", c.name, i, out.Judgement.Verdict,
						report.Sentence(out.Judgement), took, out.Rounds, cause, ok, text)
				}
				slices.Sort(seconds)
				t.Logf("%s of %s: %d of %d %s, %d named; %.0f s (%.0f to %.0f); benchstat right %d times of %d", c.name, s.module,
					right, c.runs, c.want, named, seconds[len(seconds)/2], seconds[0], seconds[len(seconds)-1], plain, compared)
				if c.want == results.Regressed {
					require.Equal(t, c.runs, right)
					require.Equal(t, c.runs, named)
				}
			}
		})
	}
}

// named returns the function that the explanation names first.
func (s stranger) named(t *testing.T, out *Outcome, name string) string {
	found, err := out.Explain(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Logf("unexplained: %v", err)
	}
	for _, e := range found {
		if (e.Kind == profiles.Allocs) == (name == "+1 allocation") && len(e.Causes) > 0 {
			return e.Causes[0].Function
		}
	}
	return "none"
}

// benchstat measures ten samples of the base and then ten of the working tree, as is usual. It
// returns benchstat's verdict on the times, and whether the verdict is right: that nothing changed,
// or that everything is slower.
func (s stranger) benchstat(t *testing.T, repo *repository, want results.Verdict) (text string, right bool) {
	var inputs []compare.Input
	for _, side := range []string{"base", "now"} {
		if side == "base" {
			repo.git("stash", "-q", "--include-untracked")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", s.bench, "-benchmem", "-count", "10", ".")
		cmd.Dir = filepath.Join(repo.dir, s.dir)
		out, err := cmd.Output()
		cancel()
		require.NoError(t, err)
		if side == "base" {
			repo.git("stash", "pop", "-q")
		}
		path := filepath.Join(t.TempDir(), side+".txt")
		require.NoError(t, os.WriteFile(path, out, 0o600))
		in, err := compare.Open(path)
		require.NoError(t, err)
		inputs = append(inputs, in)
	}
	c, err := compare.Inputs(inputs, compare.Options{})
	require.NoError(t, err)
	right = true
	for _, table := range c.Tables {
		if table.Unit != "sec/op" {
			continue
		}
		for _, row := range table.Rows {
			delta := row.Cells[1].Delta
			text += row.Name + " " + delta + " "
			if slower := row.Cells[1].Change == compare.ChangedWorse; slower != (want == results.Regressed) ||
				row.Cells[1].Change == compare.ChangedBetter {
				right = false
			}
		}
	}
	return text, right
}
