package repotest

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/fleetmark/fleetmark"

// A packageRule says which packages of this module a package may import. Its tests may import any.
type packageRule struct {
	path string // below the module
	may  string // paths below the module, separated by spaces
}

// importRules returns one rule for each package. A package stands below those that it may import,
// so the order shows the layers, and no import can go upwards.
func importRules() []packageRule {
	return []packageRule{
		// Helpers that know nothing of the rest. Names on the wire are for delivery and mockfleet
		// alone.
		{"internal/wire", ""},
		{"internal/atomicfile", ""},
		{"internal/scratch", ""},
		{"internal/childproc", ""},
		{"internal/osinfo", ""},
		{"internal/shell", ""},
		{"internal/yamlnode", ""},
		{"internal/plaintext", ""},
		{"internal/texttable", ""},
		{"internal/markdown", "internal/plaintext"},
		{"internal/checkout", "internal/childproc"},
		{"internal/codestats", "internal/childproc internal/scratch"},
		{"internal/project", "internal/childproc internal/plaintext internal/yamlnode"},
		{"internal/repotest", ""},

		// The code under test and its independent witness: neither knows the other, or that it is
		// measured.
		{"delivery", "internal/wire"},
		{"mockfleet", "internal/wire"},

		// Profiles, and results with their judgement: they don't know how anything was measured.
		{"profiles", "internal/atomicfile internal/plaintext"},
		{"results/internal/stats", ""},
		{"results/internal/benchtext", "internal/plaintext"},
		{"results", "results/internal/benchtext results/internal/stats internal/osinfo internal/plaintext"},
		{"results/baseline", "results internal/markdown internal/plaintext internal/texttable"},
		{"results/rundir", "results internal/atomicfile internal/plaintext"},
		{"results/compare", "results results/baseline results/internal/benchtext results/rundir internal/markdown internal/plaintext internal/texttable"},
		{"results/sequential", "results results/internal/stats"},
		{"results/judge", "results results/baseline results/sequential results/internal/stats"},
		{"results/report/internal/bounded", ""},
		{"results/report/internal/svgplot", ""},
		{"results/report", "results results/baseline results/judge results/rundir results/sequential profiles results/report/internal/bounded internal/markdown internal/plaintext internal/shell internal/texttable"},
		{"results/report/htmlpage", "results results/report results/rundir results/report/internal/bounded results/report/internal/svgplot internal/plaintext"},

		// What measures.
		{"scenarios/health", "mockfleet profiles results internal/osinfo internal/plaintext"},
		{"scenarios", "delivery mockfleet profiles results results/rundir scenarios/health internal/childproc internal/osinfo internal/plaintext internal/yamlnode"},
		{"scenarios/target", "delivery mockfleet profiles scenarios internal/childproc internal/plaintext internal/yamlnode"},
		{"scenarios/opcost", "delivery profiles scenarios internal/childproc internal/osinfo"},
		{"scenarios/doctor", "mockfleet results scenarios scenarios/health internal/osinfo"},
		{"scenarios/gobench", "profiles results results/judge results/sequential internal/checkout internal/childproc internal/plaintext internal/shell"},
		{"scenarios/abtest", "delivery profiles results results/judge results/sequential scenarios internal/atomicfile internal/checkout internal/childproc internal/scratch"},
		{"scenarios/batch", "results results/baseline results/judge results/report results/report/htmlpage results/rundir scenarios internal/atomicfile internal/plaintext"},
		{"scenarios/baselinepage", "results results/baseline results/report results/rundir scenarios scenarios/batch scenarios/opcost scenarios/gobench scenarios/abtest " +
			"internal/codestats internal/plaintext internal/project"},

		// The command.
		{"cmd/fleetmark/app/cli", "results results/report results/report/htmlpage scenarios scenarios/batch internal/atomicfile internal/project internal/shell internal/texttable"},
		{"cmd/fleetmark/app/progress", "mockfleet results scenarios scenarios/batch scenarios/abtest cmd/fleetmark/app/cli internal/plaintext"},
		{"cmd/fleetmark/app/profilecmd", "profiles results/report scenarios/abtest cmd/fleetmark/app/cli cmd/fleetmark/app/progress internal/texttable"},
		{"cmd/fleetmark/app/gatecmd", "results results/baseline results/judge results/report results/rundir scenarios scenarios/batch scenarios/gobench scenarios/abtest " +
			"cmd/fleetmark/app/cli cmd/fleetmark/app/progress internal/checkout internal/plaintext internal/project internal/scratch internal/texttable"},
		{"cmd/fleetmark/app", "delivery mockfleet results results/baseline results/compare results/judge results/report results/rundir scenarios scenarios/batch scenarios/baselinepage scenarios/opcost scenarios/doctor scenarios/gobench scenarios/target scenarios/abtest " +
			"cmd/fleetmark/app/cli cmd/fleetmark/app/progress cmd/fleetmark/app/gatecmd cmd/fleetmark/app/profilecmd internal/plaintext internal/project internal/texttable"},
		{"cmd/fleetmark", "cmd/fleetmark/app"},
	}
}

// TestImports checks the imports of every package against its rule. delivery may import only the
// standard library besides, so a service that takes it in takes in nothing else.
func TestImports(t *testing.T) {
	rules := map[string][]string{}
	for _, r := range importRules() {
		require.NotContains(t, rules, r.path, "it has two rules")
		for _, target := range strings.Fields(r.may) {
			require.Contains(t, rules, target, "%s: %s must stand above it", r.path, target)
		}
		rules[r.path] = strings.Fields(r.may)
	}
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"/...").Output()
	require.NoError(t, err)
	seen := map[string]bool{}
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		from, imports, _ := strings.Cut(line, " ")
		from = strings.TrimPrefix(from, module+"/")
		may, ok := rules[from]
		require.Truef(t, ok, "%s has no rule: add one to importRules, and a row to docs/design.md", from)
		seen[from] = true
		for to := range strings.FieldsSeq(imports) {
			target, ours := strings.CutPrefix(to, module+"/")
			if ours {
				require.Truef(t, slices.Contains(may, target), "%s imports %s, which its rule doesn't allow: see Layout in docs/design.md", from, target)
			} else if from == "delivery" || strings.HasPrefix(from, "delivery/") {
				host, _, _ := strings.Cut(to, "/")
				require.NotContains(t, host, ".", "delivery imports %s: it may import the standard library alone", to)
			}
		}
	}
	for path := range rules {
		require.Truef(t, seen[path], "there is no package %s: remove its rule", path)
	}
}

// TestPackagesHaveComments checks that every package has a comment that a newcomer can begin with.
func TestPackagesHaveComments(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}|{{.Doc}}", module+"/...").Output()
	require.NoError(t, err)
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		pkg, doc, _ := strings.Cut(line, "|")
		require.Greater(t, len(doc), 30, "%s has no package comment", pkg)
	}
}
