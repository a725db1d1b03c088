package app

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/rhysd/actionlint"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/gatecmd"
	"github.com/fleetmark/fleetmark/internal/testenv"
)

// pipeline returns the fenced yaml block of docs/guides/gate-a-pull-request.md whose first line names
// the file.
func pipeline(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../../../docs/guides/gate-a-pull-request.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```yaml\n# "+file+"\n")
	require.True(t, found, "docs/guides/gate-a-pull-request.md has no %s", file)
	body, _, found := strings.Cut(rest, "\n```")
	require.True(t, found)
	return body + "\n"
}

// TestGitHubWorkflow checks that the documentation's workflow is valid for GitHub, and that it is
// safe to run on pull requests of strangers.
func TestGitHubWorkflow(t *testing.T) {
	const path = ".github/workflows/gate.yml"
	text := pipeline(t, path)
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	require.NoError(t, err)
	problems, err := linter.Lint(path, []byte(text), nil)
	require.NoError(t, err)
	for _, p := range problems {
		t.Errorf("%s:%d:%d: %s", path, p.Line, p.Column, p.Message)
	}

	problems, err = linter.Lint(path, []byte(strings.Replace(text, "runs-on", "run-on", 1)), nil)
	require.NoError(t, err)
	require.NotEmpty(t, problems, "the linter finds nothing at all")

	workflow, problems := actionlint.Parse([]byte(text))
	require.Empty(t, problems)
	require.Len(t, workflow.On, 1)
	require.Equal(t, "pull_request", workflow.On[0].EventName(),
		"pull_request_target would run a stranger's code with a token that may write")
	require.Nil(t, workflow.Permissions.All)
	require.Len(t, workflow.Permissions.Scopes, 1)
	require.Equal(t, "read", workflow.Permissions.Scopes["contents"].Value.Value)
	require.NotContains(t, text, "secrets.")
	require.NotContains(t, text, "github.token")
	require.Contains(t, text, "persist-credentials: false")
	require.Len(t, workflow.Jobs, 1)
	for _, job := range workflow.Jobs {
		require.Nil(t, job.Permissions, "a job has no permissions beyond the workflow's")
		for _, step := range job.Steps {
			if run, ok := step.Exec.(*actionlint.ExecRun); ok {
				require.NotContains(t, run.Run.Value, "${{", "a stranger may choose the text that an expression expands to")
				requireShell(t, run.Run.Value)
			}
		}
	}
	requireGateFlags(t, text)
}

// TestGitLabPipeline checks the parts of the job by hand, since GitLab has no linter that works
// without a server.
func TestGitLabPipeline(t *testing.T) {
	text := pipeline(t, ".gitlab-ci.yml")
	var jobs map[string]struct {
		Stage         string
		Image         string
		Rules         []map[string]string
		Interruptible bool
		Timeout       string
		Variables     map[string]string
		Script        []string
		Artifacts     struct {
			When    string
			Expire  string `yaml:"expire_in"`
			Paths   []string
			Reports struct{ Junit string }
		}
	}
	require.NoError(t, yaml.NewDecoder(strings.NewReader(text), yaml.Strict()).Decode(&jobs))
	require.Len(t, jobs, 1)
	job := jobs["gate"]
	require.Equal(t, []map[string]string{{"if": `$CI_PIPELINE_SOURCE == "merge_request_event"`}}, job.Rules)
	require.Equal(t, "0", job.Variables["GIT_DEPTH"])
	require.Equal(t, "always", job.Artifacts.When, "the reports of a gate that failed are the ones to read")
	require.Contains(t, job.Artifacts.Paths, job.Artifacts.Reports.Junit)
	require.NotContains(t, text, "TOKEN")
	requireShell(t, strings.Join(job.Script, "\n"))
	requireGateFlags(t, text)
}

// requireShell checks a script's syntax, and that its variables are quoted.
func requireShell(t *testing.T, script string) {
	t.Helper()
	bash := testenv.Program(t, "bash")
	cmd := exec.Command(bash, "-n")
	cmd.Stdin = strings.NewReader(script)
	var said bytes.Buffer
	cmd.Stderr = &said
	require.NoError(t, cmd.Run(), "%s\n%s", script, said.String())
	for line := range strings.SplitSeq(script, "\n") {
		for _, at := range regexp.MustCompile(`\$[A-Za-z_{]`).FindAllStringIndex(line, -1) {
			require.Equal(t, 1, strings.Count(line[:at[0]], `"`)%2, "%s: quote it", line)
		}
	}
}

// requireGateFlags checks that gate has every flag that the page's command passes to it.
func requireGateFlags(t *testing.T, text string) {
	t.Helper()
	flags := gatecmd.New(cli.Console{}).Flags()
	flag := regexp.MustCompile(` --([a-z-]+)`)
	lines := 0
	for line := range strings.SplitSeq(text, "\n") {
		_, command, found := strings.Cut(line, `fleetmark" gate`)
		if !found {
			if _, command, found = strings.Cut(line, "fleetmark gate"); !found {
				continue
			}
		}
		lines++
		for _, f := range flag.FindAllStringSubmatch(command, -1) {
			require.NotNil(t, flags.Lookup(f[1]), "gate has no --%s", f[1])
		}
	}
	require.Equal(t, 2, lines)
	require.Contains(t, text, "git merge-base")
}
