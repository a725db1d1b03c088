package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/docpage"
	"github.com/fleetmark/fleetmark/internal/markdown"
)

// TestCommandsPage keeps the help of each command in docs/reference/commands.md up to date, and
// checks that the page has a section for every command, with what it prints and its exit codes.
func TestCommandsPage(t *testing.T) {
	page := filepath.Join("..", "..", "..", "docs", "reference", "commands.md")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	sections := map[string]string{}
	for section := range strings.SplitSeq(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n## ") {
		title, body, _ := strings.Cut(section, "\n")
		sections[title] = body
	}
	root := newRoot(cli.Console{})
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden {
			return
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd == root || cmd.HasSubCommands() {
			return // a list of commands, which have sections of their own
		}
		section, ok := sections[cmd.CommandPath()]
		require.True(t, ok, "the page has no section %s", cmd.CommandPath())
		require.Contains(t, section, "\n**Output.** ", cmd.CommandPath())
		require.Regexp(t, regexp.MustCompile(`\n\*\*Exit codes\.\*\* 0`), section, cmd.CommandPath())
		part := strings.TrimPrefix(cmd.CommandPath(), "fleetmark ")
		docpage.Check(t, "reference/commands.md", part, helpAsMarkdown(cmd))
	}
	walk(root)
}

// helpAsMarkdown returns the help of a command, without the paragraph about exit codes.
func helpAsMarkdown(cmd *cobra.Command) string {
	var b strings.Builder
	about := cmd.Long
	if about == "" {
		about = cmd.Short
	}
	for paragraph := range strings.SplitSeq(about, "\n\n") {
		switch {
		case strings.HasPrefix(paragraph, "Exit codes:"):
			continue
		case strings.HasPrefix(paragraph, "  "):
			code := regexp.MustCompile(`(?m)^  `).ReplaceAllString(paragraph, "")
			b.WriteString("```text\n" + code + "\n```\n\n")
		default:
			paragraph = strings.TrimSuffix(strings.Join(strings.Fields(paragraph), " "), ".")
			b.WriteString(markdown.Escape(paragraph) + ".\n\n")
		}
	}
	b.WriteString("```text\n" + cmd.UseLine() + "\n```\n\n")
	if cmd.HasExample() {
		b.WriteString("Examples:\n\n```text\n" + regexp.MustCompile(`(?m)^  `).ReplaceAllString(cmd.Example, "") +
			"\n```\n\n")
	}
	var rows [][]string
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "`--" + f.Name + "`"
		if f.Shorthand != "" {
			name = "`-" + f.Shorthand + "`, " + name
		}
		rows = append(rows, []string{name, markdown.Escape(value), markdown.Code(defaultOf(f)), markdown.Escape(usage)})
	})
	if len(rows) > 0 {
		b.WriteString(docpage.Table([]string{"flag", "value", "default", "what it does"}, rows))
	}
	return b.String()
}

// defaultOf returns the default of a flag. It returns "" for the zero value of its type, as the
// help does.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "0", "0s", "false", "[]":
		return ""
	}
	return f.DefValue
}
