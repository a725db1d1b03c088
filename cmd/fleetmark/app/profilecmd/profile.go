// Package profilecmd implements the commands of `fleetmark profile`, which show, compare, explain
// and take profiles. Each reads its flags, calls package profiles, or package abtest to measure,
// and prints the result.
package profilecmd

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/internal/texttable"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/profiles/explain"
	"github.com/fleetmark/fleetmark/profiles/view"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
)

// New returns the command profile with its subcommands.
func New(c cli.Console) *cobra.Command {
	return cli.Group("profile", "Read the profiles of a run, and say why one is slower than another",
		advising(newTop(c), viewAdvice()), advising(newDiff(c), viewAdvice()), advising(newExplain(c), explainAdvice()),
		advising(newFlame(c), viewAdvice()), advising(newWeb(c), viewAdvice()), newCapture(c), newTake(c), newOverhead(c))
}

// anyKindAdvice says how to read a file of any kind.
const anyKindAdvice = "name one of that kind, or leave --kind out"

// viewAdvice returns what to do about files that can't be shown, in terms of flags.
func viewAdvice() map[profiles.FileProblem]string {
	return map[profiles.FileProblem]string{
		profiles.NotOfKind:       anyKindAdvice,
		profiles.NotPerOperation: "--raw takes what was live as it is, --normalize compares shares",
		profiles.NoOperations: "--raw holds profiles of the same length against each other as they are, " +
			"--normalize compares shares of any two",
	}
}

// explainAdvice returns what to do about files that can't be explained.
func explainAdvice() map[profiles.FileProblem]string {
	return map[profiles.FileProblem]string{
		profiles.NotOfKind: anyKindAdvice,
		profiles.NotPerOperation: "explain a kind that counts what was done, such as allocs; " +
			"fleetmark profile diff --raw subtracts this one",
		profiles.NoOperations: "capture it with --operations, or compare shares with fleetmark profile diff --normalize",
	}
}

// advising makes cmd append advice that names flags to the errors of packages, which know no flags.
func advising(cmd *cobra.Command, advice map[profiles.FileProblem]string) *cobra.Command {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		if file, ok := errors.AsType[*profiles.FileError](err); ok {
			file.Advice = cmp.Or(advice[file.Problem], file.Advice)
		}
		if _, ok := errors.AsType[*explain.RepetitionsError](err); ok {
			return fmt.Errorf("%w, with fleetmark run --profiled 8 or fleetmark profile capture --repetition N", err)
		}
		return err
	}
	return cmd
}

// flags are the flags of the commands that read profiles.
type flags struct {
	kind string
	json bool
	diff view.DiffOptions
}

func (f *flags) add(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&f.kind, "kind", string(profiles.CPU), "cpu, heap, allocs, goroutine, mutex or block")
	cmd.Flags().StringVar(&f.diff.SampleIndex, "sample-index", "", "the number to show, such as alloc_objects")
}

func (f *flags) addTable(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&f.diff.Lines, "lines", "n", 0, "how many functions (0: 20; below 0: all)")
	cmd.Flags().BoolVar(&f.diff.Cumulative, "cum", false, "by what a function and all that it called took")
}

func (f *flags) addRaw(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.diff.Raw, "raw", false, "the files as they are, not a million operations of either side")
	cmd.Flags().BoolVar(&f.diff.Normalize, "normalize", false,
		"compare shares: the second scaled to the sum of the first, as pprof's -normalize does")
	cmd.MarkFlagsMutuallyExclusive("raw", "normalize")
	f.diff.RawAdvice = "--raw subtracts them as they are; --normalize compares shares, whatever the lengths"
}

func (f *flags) addJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.json, "json", false, "print JSON")
}

// files returns the profiles of each argument, a run directory or a file. Each must be of the kind
// that --kind names if the flag was given or the argument is a directory.
func (f *flags) files(cmd *cobra.Command, args []string) ([][]string, error) {
	k, err := profiles.ParseKind(f.kind)
	if err != nil {
		return nil, cli.Usagef("--kind %v", err)
	}
	all := make([][]string, len(args))
	for i, arg := range args {
		if all[i], err = profiles.Find(arg, k); err != nil {
			return nil, err
		}
		if cmd.Flags().Changed("kind") || len(all[i]) != 1 || all[i][0] != arg {
			f.diff.Kind = k
		}
	}
	return all, nil
}

// printNotes prints notes on standard error, beside numbers on standard output.
func printNotes(c cli.Console, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(c.Err, "note: %s\n", profiles.Printable(n))
	}
}

func newTop(c cli.Console) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use: "top RUN|FILE", Args: cobra.ExactArgs(1),
		Short: "The functions that cost most, as go tool pprof -top shows them",
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := f.files(cmd, args)
			if err != nil {
				return err
			}
			if !f.json {
				return writeTop(c.Out, cli.Width(c.Out), func(w io.Writer) error {
					return view.Top(cmd.Context(), w, files[0], f.diff.TopOptions)
				})
			}
			rows, notes, err := view.TopRows(files[0], f.diff.TopOptions)
			if err != nil {
				return err
			}
			printNotes(c, notes)
			return c.PrintJSON(rows)
		},
	}
	f.add(cmd)
	f.addTable(cmd)
	f.addJSON(cmd)
	return cmd
}

func newDiff(c cli.Console) *cobra.Command {
	var f flags
	cmd := &cobra.Command{
		Use:   "diff BASE NOW",
		Short: "What an operation costs more or less in each function, as go tool pprof -diff_base shows it",
		Long: `What an operation costs more or less in each function: NOW less BASE, each a run directory or a file.
Both are scaled to a million operations first, so that 1s is a microsecond an operation, and 1MB a byte.
With --raw the files are taken as they are, and the numbers are those of go tool pprof -top -diff_base; a note says
how long either side is. With --normalize NOW is scaled to the sum of BASE first, as by go tool pprof -normalize: a
percentage is then a difference of shares, and any two profiles of a kind can be compared, whatever their lengths.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			files, err := f.files(cmd, args)
			if err != nil {
				return err
			}
			if !f.json {
				return writeTop(c.Out, cli.Width(c.Out), func(w io.Writer) error {
					return view.Diff(cmd.Context(), w, files[0], files[1], f.diff)
				})
			}
			rows, notes, err := view.DiffRows(cmd.Context(), files[0], files[1], f.diff)
			if err != nil {
				return err
			}
			printNotes(c, notes)
			return c.PrintJSON(rows)
		},
	}
	f.add(cmd)
	f.addTable(cmd)
	cmd.Flags().BoolVar(&f.diff.ByLine, "by-line", false, "lines rather than functions")
	f.addRaw(cmd)
	f.addJSON(cmd)
	cmd.MarkFlagsMutuallyExclusive("by-line", "json")
	return cmd
}

func newExplain(c cli.Console) *cobra.Command {
	var f flags
	var o explain.Options
	cmd := &cobra.Command{
		Use:   "explain BASE NOW",
		Short: "The functions that made an operation dearer or cheaper, each with its share and how sure that is",
		Long: `The functions that made an operation dearer or cheaper between two runs: of each whose change is real, by how much, which
share of the whole difference that is, with its 95% interval, the lines, what it calls, and who calls it. Says nothing
where nothing is real. Both runs want five profiled repetitions at least, and eight are better:
fleetmark run --profiled 8.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(o.Own) == 0 {
				own, err := ownFunctions()
				if err != nil {
					return err
				}
				o.Own = own
			}
			files, err := f.files(cmd, args)
			if err != nil {
				return err
			}
			o.Selection = f.diff.Selection
			e, err := explain.Explain(cmd.Context(), files[0], files[1], o)
			if err != nil {
				return err
			}
			if f.json {
				return c.PrintJSON(e)
			}
			return e.WriteText(c.Out)
		},
	}
	f.add(cmd)
	cmd.Flags().StringSliceVar(&o.Own, "own", nil,
		"beginnings of the functions that may be the cause (default: client.own of fleetmark.yaml, or those of this module)")
	cmd.Flags().StringSliceVar(&o.Within, "within", nil,
		"count only stacks with a function that begins so, such as the package that waits (default: all)")
	cmd.Flags().BoolVar(&o.Paired, "paired", false, "the repetitions of both took turns")
	cmd.Flags().Float64Var(&o.Alpha, "alpha", 0, "the chance that anything is named where nothing changed (0: 1%)")
	cmd.Flags().IntVar(&o.Causes, "causes", 0, "how many are shown (0: 10)")
	f.addJSON(cmd)
	return cmd
}

// ownFunctions returns prefixes of the functions that may be a cause by default: client.own of the
// project's fleetmark.yaml, or else those of this program and of the project's module.
func ownFunctions() ([]string, error) {
	here, err := project.Find(".")
	if err != nil {
		return nil, err
	}
	if own := here.Config.Client.Own; len(own) > 0 {
		return own, nil
	}
	return append(abtest.OwnFunctions(), here.OwnFunctions()...), nil
}

// topTable returns pprof's table of functions, without rows. A narrow table leaves out sums and
// shares, which follow from the other columns.
func topTable() texttable.Table {
	return texttable.Table{
		Header: []string{"flat", "flat%", "sum%", "cum", "cum%", "function"}, Align: "rrrrrl", Ruleless: true,
		Fold: []texttable.Fold{{}, {Rank: 1}, {Rank: 3}, {}, {Rank: 2}, {Cut: 1}},
	}
}

var (
	topHead = regexp.MustCompile(`(?m)^ +flat +flat% +sum% +cum +cum%\n`)
	topRow  = regexp.MustCompile(`^ *(\S+) +(\S+) +(\S+) +(\S+) +(\S+)  (.*)$`)
)

// writeTop writes the text that write prints, which ends in pprof's table of functions. If the
// table is wider than width, writeTop narrows the table.
func writeTop(w io.Writer, width int, write func(io.Writer) error) error {
	if width <= 0 {
		return write(w)
	}
	var text bytes.Buffer
	if err := write(&text); err != nil {
		return err
	}
	t, wide := topTable(), false
	head := topHead.FindIndex(text.Bytes())
	if head != nil {
		for line := range strings.Lines(string(text.Bytes()[head[1]:])) {
			line = strings.TrimRight(line, "\n")
			cells := topRow.FindStringSubmatch(line)
			if cells == nil { // it isn't pprof's table
				wide = false
				break
			}
			wide = wide || texttable.Width(line) > width
			t.Rows = append(t.Rows, cells[1:])
		}
	}
	if wide {
		text.Truncate(head[0])
		if err := (texttable.Style{Width: width}).Write(&text, t); err != nil {
			return err
		}
	}
	_, err := w.Write(text.Bytes())
	return err
}

func newFlame(c cli.Console) *cobra.Command {
	var f flags
	out := "flame.html"
	cmd := &cobra.Command{
		Use:   "flame [BASE] RUN|FILE",
		Short: "A flame graph as one page of HTML; of two, colored by what got more or less",
		Long: `A flame graph as one page of HTML, which fetches nothing; of two, what NOW has more is red, and what it has less
green. A page is 5 MB at most: where all stacks don't fit, functions with a small share of the whole are drawn as
"(left out)", and a note says how small, and how much they are together.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			base, now, o, err := f.flame(cmd, args)
			if err != nil {
				return err
			}
			if err := cli.RejectEmpty(cmd, "out"); err != nil {
				return err
			}
			if err := cli.CheckOutputs(cmd, "", "out"); err != nil {
				return err
			}
			var page bytes.Buffer
			notes, err := view.Flame(cmd.Context(), &page, base, now, o)
			if err != nil {
				return err
			}
			printNotes(c, notes)
			err = cli.Output{Flag: "out", File: out, Data: page.Bytes()}.Write(c)
			if err != nil || out == cli.Stdout {
				return err
			}
			_, err = fmt.Fprintln(c.Out, out)
			return err
		},
	}
	f.add(cmd)
	f.addRaw(cmd)
	cmd.Flags().StringVarP(&out, "out", "o", out, "where the page is written (- is standard output)")
	return cmd
}

// flame returns the profiles of a flame graph and its options. base is nil if there is only one
// argument.
func (f *flags) flame(
	cmd *cobra.Command, args []string,
) (base, now []string, o view.FlameOptions, err error) {
	files, err := f.files(cmd, args)
	if err != nil {
		return nil, nil, o, err
	}
	names := make([]string, len(args))
	for i, a := range args {
		names[i] = strings.TrimSuffix(filepath.Base(filepath.Clean(a)), ".pb.gz")
	}
	now = files[len(files)-1]
	o = view.FlameOptions{DiffOptions: f.diff, Title: names[len(names)-1], NoScript: `read "fleetmark profile top"`}
	if o.Kind != "" {
		o.Title = string(o.Kind) + " of " + o.Title
	}
	if len(files) == 2 {
		base = files[0]
		o.Title += ", less " + names[0]
		switch {
		case f.diff.Raw:
			o.Note = "The files as they are. Red is more, green less."
		case f.diff.Normalize:
			o.Note = "Differences of shares. Red is more, green less."
		default:
			o.Note = "Of a million operations of either side: 1s is a microsecond an operation, 1MB a byte. " +
				"Red is more, green less."
		}
	}
	return base, now, o, nil
}

func newWeb(c cli.Console) *cobra.Command {
	var f flags
	port := 0
	cmd := &cobra.Command{
		Use: "web [BASE] RUN|FILE", Args: cobra.RangeArgs(1, 2),
		Short: "pprof's own pages of a run, or of two, on this machine's loopback until Ctrl-C",
		RunE: func(cmd *cobra.Command, args []string) error {
			base, now, o, err := f.flame(cmd, args)
			if err != nil {
				return err
			}
			var l net.ListenConfig
			listener, err := l.Listen(cmd.Context(), "tcp", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				return cli.Usagef("--port %d: %v", port, err)
			}
			if _, err := fmt.Fprintf(c.Out, "http://%s/ until Ctrl-C\n", listener.Addr()); err != nil {
				return err
			}
			return view.Serve(cmd.Context(), listener, base, now, o)
		},
	}
	f.add(cmd)
	f.addRaw(cmd)
	cmd.Flags().IntVar(&port, "port", 0, "of the loopback address (0: a free one)")
	return cmd
}
