package cli

import (
	"bytes"
	"io"
	"os"

	"github.com/fleetmark/fleetmark/results/report"
	"github.com/fleetmark/fleetmark/results/report/htmlpage"
)

// A Form is one of the forms in which a command writes a document.
type Form struct {
	Flag   string // that names the file
	File   string // or Stdout; empty: the form isn't wanted
	Render func(io.Writer, *report.Document) error
	Append bool // to the file, instead of replacing it
}

// HTMLForm returns the form of --html. title names the page if it is about several scenarios.
func HTMLForm(file, title string) Form {
	return Form{Flag: "html", File: file, Render: func(w io.Writer, d *report.Document) error {
		return htmlpage.Write(w, d, title)
	}}
}

// StepSummaryEnv names the variable with the file that GitHub Actions shows below a step.
const StepSummaryEnv = "GITHUB_STEP_SUMMARY"

// GitHubForms returns the forms of --github: a comment below the step, and annotations.
func GitHubForms() []Form {
	return []Form{
		{Flag: "github", File: os.Getenv(StepSummaryEnv), Render: report.Comment, Append: true},
		{Flag: "github", File: Stdout, Render: report.Annotations},
	}
}

// CheckGitHub returns an error unless the command runs in a step of GitHub Actions.
func CheckGitHub() error {
	if os.Getenv(StepSummaryEnv) == "" {
		return Usagef("--github: %s isn't set: use it in a step of GitHub Actions, or leave it out", StepSummaryEnv)
	}
	return nil
}

// PrintedForm returns the form that a command prints if no file is named: an object in JSON, or
// tables as wide as the terminal that w is. all says whether the tables have every row.
func PrintedForm(w io.Writer, asJSON, all bool) Form {
	if asJSON {
		return Form{File: Stdout, Render: report.JSON}
	}
	return Form{File: Stdout, Render: func(page io.Writer, d *report.Document) error {
		return report.Terminal(page, d, report.Style{Style: TableStyle(w), All: all})
	}}
}

// Render renders a document in every form that is wanted. [Console.Write] writes the outputs.
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
