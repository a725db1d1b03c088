package main

import (
	"bytes"
	"io"
	"os"

	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/results/report"
)

// subjectsOf is what a gate against a baseline has to report on, a scenario each.
func subjectsOf(g *results.Gate, base *results.Baseline, runs []*results.LoadedRun) []*report.Subject {
	var subjects []*report.Subject
	for _, s := range g.Scenarios {
		subject := &report.Subject{Scenario: s.Scenario, Judgement: s.Judgement, Base: report.BaselineSide(base, s.Scenario)}
		for _, run := range runs {
			if s.Run != "" && run.Path == s.Run {
				subject.Now = report.RunSide(*run)
				subject.Now.Read()
			}
		}
		subjects = append(subjects, subject)
	}
	return subjects
}

// writeReports makes everything that was asked for, and then writes it. A verdict that isn't where
// it was asked for isn't told.
func (f *gateFlags) writeReports(subjects []*report.Subject, c console) error {
	page := func(w io.Writer, subjects ...*report.Subject) error {
		if len(subjects) == 1 {
			return report.HTML(w, subjects[0])
		}
		return report.HTML(w, report.Join("gate", subjects...))
	}
	var outputs []output
	for _, o := range []struct {
		wanted     bool
		flag, file string
		render     func(io.Writer, ...*report.Subject) error
		add        bool
	}{
		{f.html != "", "html", f.html, page, false},
		{f.markdown != "", "markdown", f.markdown, report.Comment, false},
		{f.junit != "", "junit", f.junit, report.JUnit, false},
		{f.github, "github", os.Getenv(stepSummary), report.Comment, true},
		{f.github, "github", standardOutput, report.Annotations, false},
	} {
		if !o.wanted {
			continue
		}
		var text bytes.Buffer
		if err := o.render(&text, subjects...); err != nil {
			return err
		}
		outputs = append(outputs, output{o.flag, o.file, text.Bytes(), o.add})
	}
	for _, o := range outputs {
		if err := o.write(c); err != nil {
			return err
		}
	}
	return nil
}
