package repotest

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
)

// A docScript is a page of the documentation as a shell script. CONTRIBUTING.md describes what a
// page may say about its commands.
type docScript struct {
	text    strings.Builder
	outputs []docOutput
}

// A docOutput is what a page says that the commands before it print.
type docOutput struct {
	line  int    // of the page where the block begins
	want  string // the block marked output
	found string // path of the file with what was printed on standard output and standard error
}

// What a page does to have this code, which the test lets it have from this tree.
const (
	repositoryURL = "https://github.com/fleetmark/fleetmark"
	goGet         = "go get github.com/fleetmark/fleetmark@latest"
)

// exitsComment matches a command with the exit code that a page promises for it, or two of them.
var exitsComment = regexp.MustCompile(`^(.*\S)\s+# exits (\d+)(?:, or (\d+))?\b`)

// newDocScript makes a script from a page's fenced blocks marked sh. It writes what is printed by
// those that blocks marked output follow to files in the directory captured.
func newDocScript(page, captured string) (*docScript, error) {
	s := &docScript{}
	s.text.WriteString("set -euo pipefail\n")
	all := fences(page)
	for i, block := range all {
		switch block.language {
		case "output":
			if !slices.ContainsFunc(all[:i], func(f fence) bool { return f.language == "sh" }) {
				return nil, fmt.Errorf("line %d: no commands stand before a block marked output", block.line)
			}
		case "sh":
			file := filepath.Join(captured, fmt.Sprintf("line%d", block.line))
			want := outputsOf(all[i+1:])
			if len(want) == 0 {
				s.addLines(block.text)
				continue
			}
			for j := range want {
				s.outputs = append(s.outputs, docOutput{line: want[j].line, want: want[j].text, found: file})
				if j > 0 { // continue in the line where the last part ended
					last := &s.outputs[len(s.outputs)-1]
					last.want = s.outputs[len(s.outputs)-2].want + last.want
				}
			}
			fmt.Fprintf(&s.text, "exec 3>&1 4>&2 >'%s' 2>&1\ntrap \"cat '%s' >&4\" EXIT\n", file, file)
			s.addLines(block.text)
			fmt.Fprintf(&s.text, "exec 1>&3 2>&4 3>&- 4>&-\ntrap - EXIT\ncat '%s'\n", file)
		}
	}
	s.text.WriteString("wait\n") // for what the page has ended; anything else runs into the deadline
	return s, nil
}

// outputsOf returns the blocks marked output before the next one marked sh.
func outputsOf(after []fence) (outputs []fence) {
	for _, f := range after {
		if f.language == "sh" {
			break
		}
		if f.language == "output" {
			outputs = append(outputs, f)
		}
	}
	return outputs
}

// addLines adds the lines of a block, each as runnable returns it.
func (s *docScript) addLines(block string) {
	for line := range strings.SplitSeq(block, "\n") {
		exits := exitsComment.FindStringSubmatch(line)
		if exits == nil {
			s.text.WriteString(runnable(line) + "\n")
			continue
		}
		command, codes := runnable(exits[1]), strings.TrimSpace(exits[2]+" "+exits[3])
		fmt.Fprintf(&s.text, "export %s='%s'; code=0\n%s || code=$?\nunset %s\n", wantExitEnv, codes, command, wantExitEnv)
		fmt.Fprintf(&s.text, "case ' %s ' in *\" $code \"*) ;; *) echo \"exit code $code, want %s\" >&2; exit 1 ;; esac\n",
			codes, strings.ReplaceAll(codes, " ", " or "))
	}
}

// A fence is a fenced block of a page.
type fence struct {
	line     int // of its opening
	language string
	text     string
}

// fences returns a page's fenced blocks, in their order.
func fences(page string) (all []fence) {
	inside := false
	for i, line := range strings.Split(page, "\n") {
		language, marked := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case !inside && marked:
			all = append(all, fence{line: i + 1, language: language})
			inside = true
		case inside && marked && language == "":
			inside = false
		case inside:
			all[len(all)-1].text += line + "\n"
		}
	}
	return all
}

var (
	revision    = regexp.MustCompile(`\b[0-9a-f]{6,}\b`)
	sign        = regexp.MustCompile(`(^|[\s(])[<~+-]+(\d)`)
	measurement = regexp.MustCompile(`\d[\d.,]*(?:[nµm]?s\b|[KMG]i?B\b|[kM]?B\b|[kM]\b)?`)
	blanks      = regexp.MustCompile(`[\s─]+`)
)

// comparable returns a line of output without what differs between runs: numbers with their signs
// and units become 0, as do revisions and the ends of runs' names, and runs of spaces and of rules
// become one space.
func comparable(line string) string {
	line = revision.ReplaceAllStringFunc(line, func(word string) string {
		if strings.ContainsAny(word, "0123456789") {
			return "0"
		}
		return word
	})
	line = measurement.ReplaceAllString(sign.ReplaceAllString(line, "$1$2"), "0")
	return strings.TrimSpace(blanks.ReplaceAllString(line, " "))
}

// missingLine returns the first line of want that doesn't follow the lines before it in found, or
// "" if there is none. Numbers are ignored, and "..." in a line matches any text.
func missingLine(want, found string) string {
	rest := strings.Split(found, "\n")
next:
	for line := range strings.SplitSeq(want, "\n") {
		parts := strings.Split(comparable(line), "...")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(strings.TrimSpace(parts[i]))
		}
		pattern := regexp.MustCompile("^" + strings.Join(parts, ".*") + "$")
		if strings.Trim(comparable(line), ". ") == "" {
			continue
		}
		for i := range rest {
			if pattern.MatchString(comparable(rest[i])) {
				rest = rest[i+1:]
				continue next
			}
		}
		return line
	}
	return ""
}

func TestMissingLine(t *testing.T) {
	const found = "metric       baseline   now     verdict\n──────\nns/op   1.79ms ± 22%  11.3ms ± 3%  regressed\nB/op  80B  32.3KiB  pass\nrun: runs/20261130T191226Z-rollout-8b7ff7\n"
	for want, missing := range map[string]string{
		"ns/op 20µs ± 1% 1s ± 0% regressed":                   "",
		"metric baseline now verdict\n───\nB/op 1B 2MiB pass": "",
		"ns/op ... regressed\n...\nrun: runs/...-rollout-...": "",
		"ns/op 20µs ± 1% 1s ± 0% pass":                        "ns/op 20µs ± 1% 1s ± 0% pass",
		"B/op 80B 1B pass\nns/op ... regressed":               "ns/op ... regressed",
		"B/op 80B 1B":                                         "B/op 80B 1B",
		"verdict":                                             "verdict",
	} {
		require.Equal(t, missing, missingLine(want, found), want)
	}
}

func TestDocScript(t *testing.T) {
	script, err := newDocScript("# A\n```sh\nfalse   # exits 1: why\necho 7\n```\nsays\n```output\n8\n```\n```yaml\nx: y\n```\n```output\n9\n```\n", "/captured")
	require.NoError(t, err)
	require.Equal(t, []docOutput{
		{line: 7, want: "8\n", found: "/captured/line2"},
		{line: 13, want: "8\n9\n", found: "/captured/line2"},
	}, script.outputs)
	require.Contains(t, script.text.String(), "\nfalse || code=$?\n")
	require.Contains(t, script.text.String(), `case ' 1 ' in *" $code "*) ;; *)`)
	require.NotContains(t, script.text.String(), "x: y")
	_, err = newDocScript("```yaml\nx: y\n```\n```output\n8\n```\n", "/captured")
	require.EqualError(t, err, "line 4: no commands stand before a block marked output")
}

// TestDocScript_exits runs scripts whose commands keep what their page promises, or don't.
func TestDocScript_exits(t *testing.T) {
	bash := testenv.Program(t, "bash")
	for block, kept := range map[string]bool{
		"false   # exits 1: regressed":             true,
		"true   # exits 1: regressed":              false,
		"(exit 3)   # exits 0, or 3 if it is busy": true,
		"true   # exits 0, or 3 if it is busy":     true,
		"(exit 1)   # exits 0, or 3 if it is busy": false,
		"false": false,
		"x=1   # exits 0\n[ \"$x\" = 1 ]   # the same x": true,
	} {
		script, err := newDocScript("```sh\n"+block+"\n```\n", t.TempDir())
		require.NoError(t, err)
		out, err := exec.Command(bash, "-c", script.text.String()).CombinedOutput()
		require.Equal(t, kept, err == nil, "%s: %v: %s", block, err, out)
	}
}
