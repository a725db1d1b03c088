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

// importRules returns one rule for each package. A package comes after those that it may import, so
// the order shows the layers, and no import can go upwards.
func importRules() []packageRule {
	return []packageRule{
		// Helpers that import nothing of the rest. The names of the HTTP protocol are for delivery
		// and mockfleet alone.
		{"internal/wire", ""},
		{"internal/jsonscan", ""},
		{"internal/testenv", ""},
		{"internal/testnet", "internal/testenv"},
		{"internal/atomicfile", ""},
		{"internal/scratch", ""},
		{"internal/childproc", ""},
		{"internal/osinfo", ""},
		{"internal/hdr", ""},
		{"internal/shell", ""},
		{"internal/yamlnode", ""},
		{"internal/plaintext", ""},
		{"internal/texttable", ""},
		{"internal/markdown", "internal/plaintext"},
		{"internal/checkout", "internal/childproc"},
		{"internal/codestats", "internal/scratch internal/childproc"},
		{"internal/project", "internal/childproc internal/yamlnode internal/plaintext"},
		{"docs/examples", ""},
		{"internal/starter", "internal/atomicfile internal/childproc internal/shell internal/project docs/examples"},
		{"internal/docpage", ""},
		{"internal/repotest", ""},

		// The code under test and its independent witness: neither knows the other, or that it is
		// measured.
		{"delivery/internal/check", ""},
		{"delivery/internal/endpoint", "delivery/internal/check"},
		{"delivery/internal/pacing", ""},
		{"delivery/internal/socket", ""},
		{"delivery/internal/http1", "delivery/internal/check"},
		{"delivery/internal/exchange", "delivery/internal/endpoint delivery/internal/pacing"},
		{"delivery/internal/lean", "delivery/internal/endpoint delivery/internal/pacing delivery/internal/socket " +
			"delivery/internal/http1 delivery/internal/exchange"},
		{"delivery/internal/nethttp", "delivery/internal/check delivery/internal/endpoint delivery/internal/pacing " +
			"delivery/internal/socket delivery/internal/http1 delivery/internal/exchange"},
		{"delivery/internal/deliverytest", ""},
		{"delivery", "internal/wire internal/jsonscan delivery/internal/check delivery/internal/endpoint " +
			"delivery/internal/pacing delivery/internal/exchange delivery/internal/lean delivery/internal/nethttp"},
		{"delivery/inventory", "internal/wire internal/jsonscan delivery/internal/check delivery/internal/endpoint " +
			"delivery"},
		{"delivery/rollout", "delivery/internal/check delivery/internal/endpoint delivery/internal/pacing delivery"},
		{"mockfleet/internal/field", ""},
		{"mockfleet/random", ""},
		{"mockfleet/address", "mockfleet/internal/field"},
		{"mockfleet/ledger", "internal/wire internal/jsonscan mockfleet/internal/field"},
		{"mockfleet/fault", "internal/wire mockfleet/internal/field mockfleet/random"},
		{"mockfleet/behavior", "mockfleet/internal/field mockfleet/random mockfleet/address mockfleet/fault"},
		{"mockfleet/internal/device", "internal/wire mockfleet/internal/field mockfleet/random mockfleet/address " +
			"mockfleet/ledger mockfleet/fault mockfleet/behavior"},
		{"mockfleet/internal/server", "internal/wire mockfleet/internal/field mockfleet/random mockfleet/address " +
			"mockfleet/fault mockfleet/behavior mockfleet/internal/device"},
		{"mockfleet", "internal/wire mockfleet/internal/field mockfleet/random mockfleet/address mockfleet/ledger " +
			"mockfleet/fault mockfleet/behavior mockfleet/internal/device mockfleet/internal/server"},

		// Profiles, and results with their judgment: they don't know how anything was measured.
		{"profiles/internal/stack", ""},
		{"profiles", "internal/atomicfile profiles/internal/stack"},
		{"profiles/internal/profiletest", "profiles"},
		{"profiles/capture", "internal/atomicfile profiles profiles/internal/stack"},
		{"profiles/view", "internal/plaintext profiles profiles/internal/stack"},
		{"profiles/explain", "internal/atomicfile internal/plaintext profiles profiles/internal/stack"},
		{"results/internal/stats", ""},
		{"results/internal/benchtext", "internal/plaintext"},
		{"results", "internal/osinfo internal/plaintext results/internal/stats results/internal/benchtext"},
		{"results/baseline", "internal/plaintext internal/texttable internal/markdown results"},
		{"results/timeline", ""},
		{"results/rundir", "internal/atomicfile internal/plaintext results"},
		{"results/evidence", "internal/hdr internal/plaintext results results/rundir results/timeline"},
		{"results/compare", "internal/plaintext internal/texttable internal/markdown results/internal/benchtext " +
			"results results/baseline results/rundir"},
		{"results/sequential", "results/internal/stats results"},
		{"results/judge", "results/internal/stats results results/baseline results/sequential"},
		{"results/report/internal/bounded", ""},
		{"results/report/internal/svgplot", ""},
		{"results/report/agents", "internal/plaintext internal/texttable results"},
		{"results/report", "internal/shell internal/plaintext internal/texttable internal/markdown profiles " +
			"profiles/explain results " +
			"results/baseline results/rundir results/evidence results/judge results/report/internal/bounded " +
			"results/report/agents"},
		{"results/report/ci", "internal/plaintext results results/report/internal/bounded results/report"},
		{"results/report/htmlpage", "internal/plaintext results results/rundir results/timeline results/evidence " +
			"results/report/internal/bounded results/report/internal/svgplot results/report/agents results/report"},

		// Packages that measure.
		{"scenarios/client", "delivery delivery/rollout"},
		{"scenarios/client/internal/command", "internal/plaintext"},
		{"scenarios/client/process", "internal/jsonscan internal/childproc internal/osinfo internal/plaintext delivery " +
			"scenarios/client " +
			"scenarios/client/internal/command"},
		{"scenarios/client/service", "internal/childproc internal/osinfo internal/plaintext delivery " +
			"scenarios/client/internal/command"},
		{"scenarios/load", "internal/osinfo internal/hdr delivery delivery/rollout results scenarios/client"},
		{"scenarios/health", "internal/osinfo internal/plaintext mockfleet profiles/capture results"},
		{"scenarios/portion", "internal/hdr internal/plaintext delivery mockfleet/ledger results scenarios/load scenarios/health"},
		{"scenarios", "internal/yamlnode internal/plaintext internal/markdown delivery mockfleet/random " +
			"mockfleet/address mockfleet/fault mockfleet/behavior mockfleet results"},
		{"scenarios/target", "internal/childproc internal/yamlnode internal/plaintext delivery mockfleet/address " +
			"mockfleet/ledger mockfleet/fault mockfleet/behavior mockfleet profiles profiles/capture " +
			"scenarios"},
		{"scenarios/windows", "delivery results scenarios/load scenarios"},
		{"scenarios/runner", "internal/scratch internal/osinfo internal/hdr internal/yamlnode internal/plaintext delivery delivery/rollout mockfleet/ledger mockfleet/behavior mockfleet " +
			"profiles profiles/capture results results/timeline results/rundir scenarios/client scenarios/client/process scenarios/client/service scenarios/load scenarios/health scenarios/portion scenarios " +
			"scenarios/target scenarios/windows"},
		{"scenarios/exporter", "internal/hdr internal/plaintext delivery results scenarios/load scenarios/runner"},
		{"scenarios/opcost", "internal/childproc internal/osinfo delivery profiles profiles/capture scenarios " +
			"scenarios/target"},
		{"scenarios/doctor", "internal/osinfo mockfleet/address mockfleet results scenarios/health scenarios"},
		{"scenarios/gobench", "internal/childproc internal/shell internal/plaintext internal/checkout profiles " +
			"profiles/explain profiles/view " +
			"results results/sequential results/judge"},
		{"scenarios/abtest", "internal/shell internal/atomicfile internal/scratch internal/childproc internal/checkout delivery profiles profiles/capture " +
			"profiles/explain profiles/view results results/sequential results/judge scenarios scenarios/target " +
			"scenarios/client/process scenarios/load scenarios/health scenarios/runner"},
		{"scenarios/batch", "internal/atomicfile internal/plaintext internal/texttable results results/baseline results/rundir " +
			"results/judge " +
			"results/report results/report/htmlpage scenarios scenarios/runner"},
		{"scenarios/baselinepage", "internal/shell internal/plaintext internal/codestats internal/project results results/baseline " +
			"results/rundir results/report scenarios " +
			"scenarios/runner scenarios/opcost scenarios/gobench scenarios/abtest scenarios/batch"},
		{"scenarios/cluster/bus", "internal/scratch"},
		{"scenarios/cluster", "internal/scratch internal/childproc internal/hdr internal/plaintext delivery mockfleet/address mockfleet profiles results " +
			"results/rundir scenarios/load scenarios/health scenarios/portion scenarios scenarios/runner scenarios/cluster/bus"},

		// The command.
		{"cmd/fleetmark/app/cli", "internal/atomicfile internal/shell internal/texttable internal/project results " +
			"results/report " +
			"results/report/ci results/report/htmlpage scenarios/runner scenarios/batch"},
		{"cmd/fleetmark/app/progress", "internal/plaintext mockfleet/ledger mockfleet results scenarios/runner " +
			"scenarios/abtest " +
			"scenarios/batch cmd/fleetmark/app/cli"},
		{"cmd/fleetmark/app/profilecmd", "internal/project internal/texttable profiles profiles/capture profiles/explain profiles/view " +
			"results/report scenarios/abtest " +
			"cmd/fleetmark/app/cli cmd/fleetmark/app/progress"},
		{"cmd/fleetmark/app/gatecmd", "internal/scratch internal/plaintext internal/texttable internal/shell internal/checkout internal/project results results/baseline results/rundir results/judge results/report results/report/ci scenarios " +
			"scenarios/runner scenarios/gobench scenarios/abtest scenarios/batch cmd/fleetmark/app/cli cmd/fleetmark/app/progress"},
		{"cmd/fleetmark/app", "internal/plaintext internal/texttable internal/project internal/starter delivery mockfleet/address mockfleet " +
			"results results/timeline results/baseline results/rundir results/compare results/judge results/report results/report/ci scenarios scenarios/client scenarios/client/process " +
			"scenarios/target scenarios/runner scenarios/exporter scenarios/opcost scenarios/doctor scenarios/gobench " +
			"scenarios/abtest scenarios/batch scenarios/baselinepage scenarios/cluster/bus scenarios/cluster cmd/fleetmark/app/cli " +
			"cmd/fleetmark/app/progress cmd/fleetmark/app/profilecmd cmd/fleetmark/app/gatecmd"},
		{"cmd/fleetmark", "cmd/fleetmark/app"},
		{"docs/examples/service", "delivery"},
		{"docs/examples/client", "scenarios/client cmd/fleetmark/app"}, // a team's own main, as if in another module
	}
}

// TestImports checks the imports of every package against its rule. Besides, delivery may import
// only the standard library, so that a service that imports it gets no other dependencies.
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
				require.Truef(t, slices.Contains(may, target),
					"%s imports %s, which its rule doesn't allow: see Layout in docs/design.md", from, target)
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

// TestPackagesHaveComments checks that every package has a comment.
func TestPackagesHaveComments(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}|{{.Doc}}", module+"/...").Output()
	require.NoError(t, err)
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		pkg, doc, _ := strings.Cut(line, "|")
		require.NotEmpty(t, doc, "%s has no package comment", pkg)
	}
}

// TestReadingProfilesOpensNoConnection checks what the comments of these packages promise: they
// import no package that opens connections.
func TestReadingProfilesOpensNoConnection(t *testing.T) {
	for _, pkg := range []string{"profiles", "profiles/explain", "profiles/internal/stack"} {
		out, err := exec.Command("go", "list", "-f", `{{range .Imports}}{{.}} {{end}}`, module+"/"+pkg).Output()
		require.NoError(t, err)
		for to := range strings.FieldsSeq(string(out)) {
			require.False(t, to == "net" || strings.HasPrefix(to, "net/"), "%s imports %s", pkg, to)
		}
	}
}
