package starter

import (
	_ "embed"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/docs/examples"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/internal/shell"
)

// The files, from which placeholders such as PACKAGE are replaced.
//
//go:embed files/push.yaml
var scenarioFile string

//go:embed files/fleetmark.yaml
var configFile string

//go:embed files/gate.yml
var workflowFile string

// A file is one that Write may write.
type file struct {
	name string // from the root
	text string

	// missing returns the lines that the file lacks if it exists. It is nil for a file that is the
	// user's own once it exists.
	missing func() string
}

// files returns the files in the order in which they are written. The configuration is the last, so
// that it never names files that don't exist.
func (p *plan) files() []file {
	if p.script != nil {
		return p.scriptFiles()
	}
	build := "go build -trimpath -buildvcs=false -o {out} " + p.pkg()
	list := []file{
		{name: path.Join(p.program, "main.go"), text: strings.NewReplacer(
			`"acme"`, strconv.Quote(p.client), "Command bench", "Command "+path.Base(p.program),
		).Replace(examples.Client)},
		{name: "bench/push.yaml", text: strings.ReplaceAll(scenarioFile, "PROGRAM", "./"+shell.Quote(p.binary))},
	}
	if p.workflow {
		list = append(list, p.workflowFile())
	}
	if p.repository != "" {
		list = append(list, file{
			name: ".gitignore", text: strings.Join(p.ignored(), "\n") + "\n", missing: p.missingIgnored,
		})
	}
	return append(list, file{
		name: project.ConfigFile, text: strings.ReplaceAll(configFile, "BUILD", build), missing: func() string {
			var lines string
			if p.Config.Client.IsZero() {
				lines += "client:\n  build: " + build + "\n"
			}
			return lines + p.missingGate()
		},
	})
}

// missingGate returns what the configuration lacks for a gate without arguments.
func (p *plan) missingGate() string {
	if len(p.Config.Gate.Scenarios) == 0 {
		return "gate:\n  scenarios: [bench/push.yaml]\n"
	}
	return ""
}

// pkg returns the program's package as an argument of go build.
func (p *plan) pkg() string { return "./" + p.program }

// workflowFile returns the workflow, which is at the root of the repository.
func (p *plan) workflowFile() file {
	below, name := ".", path.Join(".github", "workflows", "gate.yml")
	if p.repository != "" && p.repository != p.Root {
		if rel, err := filepath.Rel(p.repository, p.Root); err == nil {
			below = filepath.ToSlash(rel)
			up := strings.Repeat("../", strings.Count(below, "/")+1)
			name = up + name
		}
	}
	text := workflowFile
	if below == "." {
		text = strings.ReplaceAll(text, "    defaults:\n      run:\n        working-directory: ROOT\n", "")
	}
	return file{name: name, text: strings.NewReplacer(
		"ROOT", strconv.Quote(below),
		"GOVERSION", "go-version-file: "+strconv.Quote(path.Join(below, "go.mod")),
		"BUILD", `go build -trimpath -o "$RUNNER_TEMP/bench" `+p.pkg(),
		"PRESENT", p.pkg(),
		"PROGRAM", `"$RUNNER_TEMP/bench"`,
	).Replace(text)}
}

// ignored returns the lines of .gitignore for what the next steps leave in the root.
func (p *plan) ignored() []string {
	if p.script != nil {
		return []string{"/runs/"}
	}
	return []string{"/" + p.binary, "/runs/"}
}

// missingIgnored returns the lines that .gitignore lacks.
func (p *plan) missingIgnored() string {
	text, err := os.ReadFile(filepath.Join(p.Root, ".gitignore"))
	if err != nil {
		return ""
	}
	var has []string
	for line := range strings.SplitSeq(string(text), "\n") {
		has = append(has, strings.Trim(strings.TrimSpace(line), "/"))
	}
	var missing string
	for _, line := range p.ignored() {
		if !slices.Contains(has, strings.Trim(line, "/")) {
			missing += line + "\n"
		}
	}
	return missing
}

// next returns the steps that come after the files.
func (p *plan) next(r *Result) []Step {
	var steps []Step
	add := func(does string, words ...string) { steps = append(steps, Step{shell.Join(words...), does}) }
	if p.from != "." {
		add("the commands run at the root", "cd", p.from)
	}
	if p.script != nil {
		add("measures the client", "fleetmark", "run", "bench/push.yaml")
		if len(r.Written) > 0 {
			add("", append([]string{"git", "add"}, r.Written...)...)
			add("makes a revision to compare with", "git", "commit", "-qm", "Measure the delivery client")
		}
		add("compares your next change with it", "fleetmark", "gate", "--base", "HEAD")
		return steps
	}
	vendored := p.exists("vendor/modules.txt")
	add("requires Fleetmark in go.mod", "go", "get", p.pkg())
	if vendored {
		add("puts it into vendor", "go", "mod", "vendor")
	}
	add("builds the program", "go", "build", "-o", p.binary, p.pkg())
	program := "./" + p.binary
	add("measures the client", program, "run", "bench/push.yaml")
	if p.repository == "" {
		return steps
	}
	if len(r.Written) > 0 {
		files := append([]string{"git", "add", "go.mod", "go.sum"}, r.Written...)
		if vendored {
			files = append(files, "vendor")
		}
		add("", files...)
		add("makes a revision to compare with", "git", "commit", "-qm", "Measure the delivery client")
	}
	add("compares your next change with it", program, "gate", "--base", "HEAD")
	return steps
}
