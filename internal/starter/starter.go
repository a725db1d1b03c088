// Package starter writes the files with which a project begins to measure its own delivery client.
//
// Its input is a directory of a project. Its output are files. In a Go module they are a program
// with a client that works as it stands (docs/examples/client). In any other git repository
// they are a client for a process of its own, in the language that is found. In both there are a
// scenario, fleetmark.yaml, .gitignore and a workflow for GitHub beside it. [Write] overwrites
// nothing: it keeps a file that exists, and its [Result] says which lines are to be added to it. The
// Result also has the commands that come next.
//
// The package runs none of these commands, and doesn't know what the files mean to the commands that
// read them.
package starter

import (
	"context"
	"os"
	"path"
	"path/filepath"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
)

// A CI is where pull requests are gated.
type CI string

// The values of CI.
const (
	DetectCI CI = "" // GitHub if the repository has a remote there or a directory .github, or else none
	GitHub   CI = "github"
	NoCI     CI = "none"
)

// Options say what [Write] writes, and where.
type Options struct {
	Dir     string // a directory of the project
	Client  string // the client's name, in a Go module; "": the last element of the module's path
	Program string // the program's directory, from the project's root, with slashes; "": cmd/bench, or bench for a script
	CI      CI
}

// A Result says what [Write] did. Paths are relative to Root, and have slashes.
type Result struct {
	Root    string // absolute path of the project
	Script  string // the language of the client if the project is no Go module, such as Python
	Written []string
	Kept    []string // files that existed
	Add     []Lines  // what is missing from kept files
	Next    []Step   // commands for a shell, in the order in which to run them
}

// Lines are lines that somebody should add to a file.
type Lines struct {
	File string `json:"file"`
	Text string `json:"text"`
}

// A Step is a command for a shell, to run in Options.Dir after those before it, and what it does.
type Step struct{ Command, Does string }

// Write writes the files that the project doesn't have yet, each as a whole or not at all. If it
// fails halfway, it returns the Result so far with the error, and another call writes the rest.
func Write(ctx context.Context, o Options) (*Result, error) {
	p, err := find(ctx, o)
	if err != nil {
		return nil, err
	}
	r := &Result{Root: p.Root}
	if p.script != nil {
		r.Script = p.script.language
	}
	files := p.files()
	for _, f := range files {
		if err := p.checkInside(f.name); err != nil {
			return nil, err
		}
	}
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		if err := p.write(f, r); err != nil {
			return r, err
		}
	}
	r.Next = p.next(r)
	return r, nil
}

// write writes a file unless it exists.
func (p *plan) write(f file, r *Result) error {
	keep := p.exists(f.name)
	if path.Base(f.name) == "main.go" && p.hasCode() {
		keep = true // the team has given the file another name
	}
	if keep {
		r.Kept = append(r.Kept, f.name)
		if f.missing == nil {
			return nil
		}
		if lines := f.missing(); lines != "" {
			r.Add = append(r.Add, Lines{File: f.name, Text: lines})
		}
		return nil
	}
	full := filepath.Join(p.Root, filepath.FromSlash(f.name))
	if err := os.MkdirAll(filepath.Dir(full), 0o777); err != nil { // before umask
		return err
	}
	if err := atomicfile.Write(full, []byte(f.text)); err != nil {
		return err
	}
	r.Written = append(r.Written, f.name)
	return nil
}
