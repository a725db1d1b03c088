package app

import (
	"bytes"
	"io"
	"os"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/htmlpage"
)

// stepSummary names the file that GitHub Actions shows below a step.
const stepSummary = "GITHUB_STEP_SUMMARY"

// A form is one of the files that a report may be written to. It is wanted if it has a file.
type form struct {
	flag, file string
	render     func(io.Writer, *report.Document) error
	append     bool
}

// htmlForm returns the form of --html. title names the page if it is about several scenarios.
func htmlForm(file, title string) form {
	return form{flag: "html", file: file, render: func(w io.Writer, d *report.Document) error {
		return htmlpage.Write(w, d, title)
	}}
}

// githubForms returns the forms of --github.
func githubForms() []form {
	return []form{
		{"github", os.Getenv(stepSummary), report.Comment, true},
		{"github", cli.Stdout, report.Annotations, false},
	}
}

// render renders a document in every form that is wanted, before any of them is written.
func render(d *report.Document, forms []form) ([]cli.Output, error) {
	var outputs []cli.Output
	for _, f := range forms {
		if f.file == "" {
			continue
		}
		var page bytes.Buffer
		if err := f.render(&page, d); err != nil {
			return nil, err
		}
		outputs = append(outputs, cli.Output{Flag: f.flag, File: f.file, Data: page.Bytes(), Append: f.append})
	}
	return outputs, nil
}

// writeReports writes a gate's document to every file that was asked for.
func (f *gateFlags) writeReports(d *report.Document) error {
	forms := []form{htmlForm(f.html, "gate"), {"markdown", f.markdown, report.Comment, false}, {"junit", f.junit, report.JUnit, false}}
	if f.github {
		forms = append(forms, githubForms()...)
	}
	outputs, err := render(d, forms)
	if err != nil {
		return err
	}
	for _, o := range outputs {
		if err := o.Write(cli.Console{Out: f.printed}); err != nil {
			return err
		}
	}
	return nil
}

// show writes the reports that were asked for, and prints the document. A verdict that can't be
// written to where it was asked for isn't printed.
func (f *gateFlags) show(d *report.Document, c cli.Console) error {
	var page bytes.Buffer
	if err := printed(&page, d, c, f.json, f.all); err != nil {
		return err
	}
	if err := f.writeReports(d); err != nil {
		return err
	}
	_, err := c.Out.Write(page.Bytes())
	return err
}

// printed writes what a command prints of a document to w: an object in JSON, or tables for the
// console's terminal.
func printed(w io.Writer, d *report.Document, c cli.Console, asJSON, all bool) error {
	if asJSON {
		return report.JSON(w, d)
	}
	return report.Terminal(w, d, report.Style{Style: cli.TableStyle(c.Out), All: all})
}
