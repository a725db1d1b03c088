package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/checkout"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/results/judge"
	"github.com/fleetmark/fleetmark/results/report"
)

// gateScratch makes the directory in which a gate builds. It removes those of gates that were killed.
func gateScratch() (*scratch.Dir, error) {
	dir, err := scratch.New("", "fleetmark-gate")
	if err != nil {
		return nil, &cli.ExitError{Code: cli.ExitUsage, Text: err.Error()}
	}
	return dir, nil
}

// tellEnding writes all reports of a gate that ended without a verdict, and returns the error that ended it. A
// report that was asked for is written even if nothing was built, measured or finished.
func (f *gateFlags) tellEnding(ctx context.Context, mode report.Mode, title string, c cli.Console, cause error) error {
	text, code := cause.Error(), cli.CodeOf(cause)
	if _, said := errors.AsType[*cli.ExitError](cause); ctx.Err() != nil && !said { // as interruption has it
		text, code = "interrupted: nothing is judged", cli.ExitInterrupted
		if !errors.Is(cause, context.Canceled) {
			text += "\n" + cause.Error()
		}
	}
	lines := strings.Split(text, "\n")
	var detail []string
	for _, line := range lines[1:] {
		detail = append(detail, strings.TrimSpace(line))
	}
	d := report.NotJudged(mode, report.Input{
		Scenario: title, Judgement: judge.NotPossible(lines[0]), Notes: detail,
		Command: commandLine(os.Args[1:]), Measured: time.Now().UTC(),
	})
	d.ExitCode = code
	err := f.writeReports(d)
	if f.json {
		err = errors.Join(err, report.JSON(c.Out, d))
	}
	return errors.Join(cause, err)
}

// verdictError returns the exit code of a document and the line that a log needs, or nil for a pass.
func verdictError(d *report.Document) error {
	if d.ExitCode == cli.ExitPass {
		return nil
	}
	word := string(d.Verdict)
	if word == "" {
		word = "no verdict"
	}
	return &cli.ExitError{Code: d.ExitCode, Text: word + ": " + d.Reason}
}

// mostNamed is how many changed files are named in one line.
const mostNamed = 8

// sidesDiffer says what differs between the working tree and its commit, and between what the two sides
// are built from, a line each.
func sidesDiffer(now *checkout.Tree, differences []string) []string {
	var lines []string
	if files := now.Changed; len(files) > 0 {
		var named []string
		for _, name := range files[:min(len(files), mostNamed)] {
			if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
				name = strconv.Quote(name) // it must not steer a terminal
			}
			named = append(named, name)
		}
		line := "changed: " + strings.Join(named, ", ")
		if more := len(files) - len(named); more > 0 {
			line += fmt.Sprintf(" and %d more", more)
		}
		lines = append(lines, line)
	}
	return append(lines, differences...)
}

// markedCommit returns the commit of a tree, with +dirty if files differ from it.
func markedCommit(t *checkout.Tree) string {
	if len(t.Changed) > 0 {
		return t.Commit + "+dirty"
	}
	return t.Commit
}
