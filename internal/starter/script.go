package starter

import (
	_ "embed"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/fleetmark/fleetmark/docs/examples"
	"github.com/fleetmark/fleetmark/internal/project"
)

// The scenario for projects that aren't Go modules. Their clients are those of the documentation.
//
//go:embed files/process.yaml
var processFile string

// gateConfig is fleetmark.yaml for a scenario that names its client itself.
const gateConfig = `# What Fleetmark's commands need to know of this project. The file is read strictly: an unknown key
# is an error with its line and column.

# What ` + "`gate`" + ` measures if no scenarios are named: files, or names from ` + "`fleetmark scenarios list`" + `.
# ` + "`gate --base REF`" + ` runs the scenario's client.command in both revisions, by turns.
gate:
  scenarios: [bench/push.yaml]
`

// A script is a client that runs in processes of its own.
type script struct {
	language    string // for people
	interpreter string
	name        string // of the file
	text        string
	needs       string // programs that a workflow's machine has
}

// findScript returns the client in the language that the files at root are written in, or else one
// of a shell and curl.
func findScript(root string) *script {
	for _, s := range []struct {
		script
		patterns []string
	}{
		{script{"Node", "node", "push.mjs", examples.ProcessNode, "Node"}, []string{"package.json"}},
		{script{"Python", "python3", "push.py", examples.ProcessPython, "Python"}, []string{
			"pyproject.toml", "setup.py", "setup.cfg", "requirements*.txt", "Pipfile", "*.py",
		}},
	} {
		for _, pattern := range s.patterns {
			if found, err := filepath.Glob(filepath.Join(quoteMeta(root), pattern)); err == nil && len(found) > 0 {
				return &s.script
			}
		}
	}
	return &script{"shell", "sh", "push.sh", examples.ProcessShell, "sh and curl"}
}

// checkScript returns an error if the client can't be in its directory.
func (p *plan) checkScript(o Options) error {
	dir := filepath.FromSlash(p.program)
	if !filepath.IsLocal(dir) || strings.ContainsAny(p.program, "\"\\,[]{}'\n") {
		return fmt.Errorf("--dir %q: want a directory of the repository, such as bench", p.program)
	}
	if info, err := os.Stat(filepath.Join(p.Root, dir)); err == nil && !info.IsDir() {
		return fmt.Errorf("--dir %s: it is a file: want a directory", p.program)
	}
	if o.Client != "" {
		return fmt.Errorf("--client: there is no go.mod here, and results call a client in %s by its file: leave it out",
			p.script.language)
	}
	return nil
}

// scriptFiles returns the files of a project with a client that is a script.
func (p *plan) scriptFiles() []file {
	client := path.Join(p.program, p.script.name)
	shown := p.script.name // from the scenario's directory
	if p.program != "bench" {
		shown = path.Join("..", client)
	}
	command := p.script.interpreter + `, "` + shown + `"`
	list := []file{
		{name: client, text: p.script.text},
		{name: "bench/push.yaml", text: strings.ReplaceAll(processFile, "COMMAND", command)},
	}
	if p.workflow {
		list = append(list, p.scriptWorkflow())
	}
	return append(list,
		file{name: ".gitignore", text: "/runs/\n", missing: p.missingIgnored},
		file{name: project.ConfigFile, text: gateConfig, missing: p.missingGate},
	)
}

// scriptWorkflow returns the workflow that gates the client with the last release of Fleetmark.
func (p *plan) scriptWorkflow() file {
	return file{name: path.Join(".github", "workflows", "gate.yml"), text: strings.NewReplacer(
		"    defaults:\n      run:\n        working-directory: ROOT\n", "", // the project is the repository
		"GOVERSION", "go-version: stable\n          cache: false # there is no go.sum to tell caches by",
		"      - name: Build\n", "      # Install here what the client needs besides "+p.script.needs+".\n"+
			"      - name: Install Fleetmark\n",
		"BUILD", `GOBIN="$RUNNER_TEMP" go install github.com/fleetmark/fleetmark/cmd/fleetmark@latest`,
		"PRESENT", "./"+project.ConfigFile,
		"PROGRAM", `"$RUNNER_TEMP/fleetmark"`,
	).Replace(workflowFile)}
}
