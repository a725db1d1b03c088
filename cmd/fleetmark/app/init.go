package app

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/starter"
)

// initJSON is the object that `init --json` prints, a contract with scripts.
type initJSON struct {
	Root    string          `json:"root"`             // what paths are relative to
	Script  string          `json:"script,omitempty"` // the language of the client outside a Go module
	Written []string        `json:"written"`
	Kept    []string        `json:"kept"`
	Add     []starter.Lines `json:"add"`  // lines that kept files lack
	Next    []string        `json:"next"` // commands for a shell
}

func newInit(c cli.Console) *cobra.Command {
	var o starter.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use: "init", Args: cobra.NoArgs,
		Short: "Write what a project needs to measure its own delivery client",
		Long: `Writes what a project needs to measure its own delivery client. In a Go module that is
a program with all commands of fleetmark and a client that works as it stands. In any
other git repository it is a client in Python, Node or shell, whichever fits the files
there. Beside it are a first scenario, fleetmark.yaml, .gitignore, and a workflow for
pull requests if the repository is on GitHub. Then it says which commands come next.

It overwrites nothing. If a file exists, it is kept, and lines that it lacks are
printed. After an interruption, run it again: it writes the files that are missing.`,
		Example: `  fleetmark init
  fleetmark init --client acme --dir cmd/acme-bench --ci github`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.RejectEmpty(cmd, "client", "dir", "ci"); err != nil {
				return err
			}
			r, err := starter.Write(cmd.Context(), o)
			if r == nil {
				return err
			}
			if err == nil && asJSON {
				return c.PrintJSON(initAsJSON(r))
			}
			out := c.Out
			if err != nil {
				out = c.Err // what was written before the error
			}
			if printed := printInit(out, r); err == nil {
				err = printed
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Client, "client", "",
		"what results call the client (default: the last element of the module's path)")
	flags.StringVar(&o.Program, "dir", "",
		"the directory of the client, below the project's (default: cmd/bench, or bench for a script)")
	flags.StringVar((*string)(&o.CI), "ci", "",
		"the server for which to write a workflow (default: github if there is a remote at GitHub or a .github)")
	flags.BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func initAsJSON(r *starter.Result) initJSON {
	j := initJSON{
		Root: r.Root, Script: r.Script, Written: append([]string{}, r.Written...), Kept: append([]string{}, r.Kept...),
		Add: append([]starter.Lines{}, r.Add...), Next: []string{},
	}
	for _, s := range r.Next {
		j.Next = append(j.Next, s.Command)
	}
	return j
}

// printInit prints what was done and what to do. The indented lines can be pasted into a shell.
func printInit(w io.Writer, r *starter.Result) error {
	var b strings.Builder
	if r.Script != "" {
		fmt.Fprintf(&b, "no go.mod here: the client is a program in %s, in processes of its own\n", r.Script)
	}
	for _, name := range r.Written {
		fmt.Fprintf(&b, "wrote %s\n", name)
	}
	for _, name := range r.Kept {
		fmt.Fprintf(&b, "kept  %s\n", name)
	}
	for _, l := range r.Add {
		fmt.Fprintf(&b, "\nAdd to %s:\n\n", l.File)
		for line := range strings.Lines(l.Text) {
			b.WriteString("    " + line)
		}
	}
	if len(r.Next) > 0 {
		if len(r.Written) == 0 {
			b.WriteString("\nNothing is left to write.\n")
		}
		b.WriteString("\nNext:\n\n")
		width := 0
		for _, s := range r.Next {
			if len(s.Command) <= maxAligned {
				width = max(width, len(s.Command))
			}
		}
		for _, s := range r.Next {
			line := "  " + s.Command
			if s.Does != "" {
				line = fmt.Sprintf("  %-*s  # %s", width, s.Command, s.Does)
			}
			b.WriteString(line + "\n")
		}
	}
	_, err := io.WriteString(w, plaintext.Printable(b.String()))
	return err
}

// maxAligned is the length of the longest command that comments are aligned beside.
const maxAligned = 44
