package cli

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/ci"
	"github.com/fleetmark/fleetmark/results/report/htmlpage"
)

// RejectEmpty returns an error if one of the named flags was given an empty value, as by
// --out="$DIR" if DIR isn't set.
func RejectEmpty(cmd *cobra.Command, names ...string) error {
	for _, name := range names {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return Usagef("--%s: is empty; give it a value, or leave it out", name)
		}
	}
	return nil
}

// CheckBetween returns an error if d, the value of a flag, isn't between low and high.
func CheckBetween(flag string, d, low, high time.Duration) error {
	if d < low || d > high {
		return Usagef("--%s %v: want %v to %gh", flag, d, low, high.Hours())
	}
	return nil
}

// AllFlag defines --all, which also shows rows that weren't judged.
func AllFlag(flags *pflag.FlagSet, all *bool) {
	flags.BoolVar(all, "all", false, "show every row of the table, those that weren't judged too")
}

// ByFlag defines --by, which shows the parts of a run.
func ByFlag(flags *pflag.FlagSet, by *report.By, usage string) {
	flags.StringVar((*string)(by), "by", "", usage)
}

// CheckBy returns an error if the value of --by isn't known.
func CheckBy(by report.By) error {
	if by != "" && !by.Known() {
		return Usagef("--by %q: want group or wave", by)
	}
	return nil
}

// ByForm returns the form of --by, which is printed as tables.
func ByForm(w io.Writer, by report.By) Form {
	form := Form{Flag: "by", Render: func(page io.Writer, d *report.Document) error {
		return report.WriteBy(page, d, by, TableStyle(w))
	}}
	if by != "" {
		form.File = Stdout
	}
	return form
}

// Group returns a command that only has subcommands.
func Group(use, short string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: NoSuchCommand, SuggestionsMinimumDistance: 2,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return Usagef("%s wants a command; see %s --help", cmd.CommandPath(), cmd.CommandPath())
		},
	}
	cmd.AddCommand(subs...)
	return cmd
}

// NoSuchCommand checks the arguments of a command that only has subcommands: there must be none.
func NoSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	suggestion := ""
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		suggestion = ": did you mean " + like[0] + "?"
	}
	return Usagef("%s has no command %q%s; see %s --help", cmd.CommandPath(), args[0], suggestion, cmd.CommandPath())
}

// Stdout stands for standard output as the value of a flag that names a file. As the name of a file
// to read, it stands for standard input.
const Stdout = "-"

// An Output is text for the file that a flag names.
type Output struct {
	Flag   string // without the dashes
	File   string // or Stdout
	Data   []byte
	Append bool // append to the file instead of replacing it
}

// Write writes outputs, up to the first one that can't be written.
func (c Console) Write(outputs []Output) error {
	for _, o := range outputs {
		if err := o.Write(c); err != nil {
			return err
		}
	}
	return nil
}

// Write writes the output. Unless it appends, it replaces the file atomically.
func (o Output) Write(c Console) error {
	var err error
	switch {
	case o.File == Stdout:
		_, err = c.Out.Write(o.Data)
		return err
	case o.Append:
		err = appendFile(o.File, o.Data)
	default:
		err = atomicfile.Write(o.File, o.Data)
	}
	if err != nil {
		return Usagef("--%s %s: %v", o.Flag, o.File, err)
	}
	return nil
}

// CheckOutputs returns an error if a file that one of the flags names can't be written, or if two
// flags name the same file. A command that measures for minutes calls it first. taken is the flag
// that prints on standard output, or "" if none does.
func CheckOutputs(cmd *cobra.Command, taken string, flags ...string) error {
	by := make(map[string]string)
	if taken != "" {
		by[Stdout] = taken
	}
	for _, name := range flags {
		file := cmd.Flags().Lookup(name).Value.String()
		if file == "" {
			continue
		}
		if other := by[file]; other != "" {
			return Usagef("--%s and --%s: both would be written to %s; give one of them a file of its own",
				other, name, OutputName(file))
		}
		by[file] = name
		if file == Stdout {
			continue
		}
		if err := atomicfile.Check(file); err != nil {
			return Usagef("--%s %s: %v", name, file, err)
		}
	}
	return nil
}

// OutputName returns the name of a file for messages. It returns "standard output" for [Stdout].
func OutputName(file string) string {
	if file == Stdout {
		return "standard output"
	}
	return file
}

// appendFile appends data to a file as a paragraph of its own.
func appendFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		data = append([]byte("\n"), data...)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Close())
}

// A Form is one of the forms in which a command writes a document.
type Form struct {
	Flag   string // the flag that names the file
	File   string // or Stdout; empty if the form isn't wanted
	Render func(io.Writer, *report.Document) error
	Append bool // append to the file instead of replacing it
}

// HTMLForm returns the form of --html. title names the page if it is about several scenarios.
func HTMLForm(file, title string) Form {
	return Form{Flag: "html", File: file, Render: func(w io.Writer, d *report.Document) error {
		return htmlpage.Write(w, d, title)
	}}
}

// StepSummaryEnv is the environment variable with the file that GitHub Actions shows below a step.
const StepSummaryEnv = "GITHUB_STEP_SUMMARY"

// GitHubForms returns the forms of --github: a comment below the step, and annotations.
func GitHubForms() []Form {
	return []Form{
		{Flag: "github", File: os.Getenv(StepSummaryEnv), Render: report.Comment, Append: true},
		{Flag: "github", File: Stdout, Render: ci.Annotations},
	}
}

// CheckGitHub returns an error unless the command runs in a step of GitHub Actions.
func CheckGitHub() error {
	if os.Getenv(StepSummaryEnv) == "" {
		return Usagef("--github: %s isn't set: use it in a step of GitHub Actions, or leave it out", StepSummaryEnv)
	}
	return nil
}

// PrintedForm returns the form that a command prints: a JSON object if asJSON is set, or else
// tables no wider than w, if that is a terminal. If all is set, the tables have every row.
func PrintedForm(w io.Writer, asJSON, all bool) Form {
	if asJSON {
		return Form{File: Stdout, Render: report.JSON}
	}
	return Form{File: Stdout, Render: func(page io.Writer, d *report.Document) error {
		return report.Terminal(page, d, report.Style{Style: TableStyle(w), All: all})
	}}
}

// Render renders a document in every form that is wanted, and returns the outputs, so that none is
// written if one can't be rendered.
func Render(d *report.Document, forms ...Form) ([]Output, error) {
	var outputs []Output
	for _, f := range forms {
		if f.File == "" {
			continue
		}
		var page bytes.Buffer
		if err := f.Render(&page, d); err != nil {
			return nil, err
		}
		outputs = append(outputs, Output{Flag: f.Flag, File: f.File, Data: page.Bytes(), Append: f.Append})
	}
	return outputs, nil
}
