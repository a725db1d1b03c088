package starter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"golang.org/x/mod/module"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/project"
)

// A plan is what Write knows before it writes.
type plan struct {
	project.Project
	client     string
	program    string // the program's directory, from the root
	binary     string // the file that the user builds
	repository string // the root of the git repository; "" if there is none
	from       string // the root, from the directory where the user is
	workflow   bool
	script     *script // the client if the project is no Go module, or nil
}

// find returns the plan, or why there can be none.
func find(ctx context.Context, o Options) (*plan, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	p := &plan{}
	if p.Project, err = project.Find(dir); err != nil {
		return nil, err
	}
	switch {
	case p.Root == "":
		return nil, errors.New("no go.mod and no git repository here or in a directory above: " +
			"run it in the project whose client you want to measure, or begin one with `git init` or `go mod init`")
	case p.Module == "" && p.exists("go.mod"):
		return nil, fmt.Errorf("%s names no module: want a go.mod as `go mod init` writes it", filepath.Join(p.Root, "go.mod"))
	case o.CI != DetectCI && o.CI != GitHub && o.CI != NoCI:
		return nil, fmt.Errorf("--ci %q: want github or none", string(o.CI))
	}
	if p.from, err = filepath.Rel(dir, p.Root); err != nil {
		return nil, err
	}
	if p.repository, err = project.Repository(p.Root); err != nil {
		return nil, err
	}
	p.workflow = o.CI == GitHub || o.CI == DetectCI && p.onGitHub(ctx)
	if p.Module == "" {
		p.script, p.program = findScript(p.Root), path.Clean(filepath.ToSlash(cmp.Or(o.Program, "bench")))
		return p, p.checkScript(o)
	}
	p.program = path.Clean(filepath.ToSlash(cmp.Or(o.Program, "cmd/bench")))
	if err := p.checkProgram(); err != nil {
		return nil, err
	}
	if p.client, err = clientName(o.Client, p.Module); err != nil {
		return nil, err
	}
	p.binary = p.client + "-bench"
	if runtime.GOOS == "windows" {
		p.binary += ".exe"
	}
	return p, nil
}

// checkProgram returns an error if the program can't be in its directory.
func (p *plan) checkProgram() error {
	if p.program == "." || !filepath.IsLocal(filepath.FromSlash(p.program)) ||
		module.CheckImportPath(path.Join("m", p.program)) != nil {
		return fmt.Errorf("--dir %q: want a directory within the module, such as cmd/bench, "+
			"whose name may stand in an import path", p.program)
	}
	dir := filepath.Join(p.Root, filepath.FromSlash(p.program))
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("--dir %s: it is a file: want a directory", p.program)
	}
	root, _, err := project.Module(dir)
	if err != nil {
		return fmt.Errorf("--dir %s: %w", p.program, err)
	}
	if root != p.Root {
		return fmt.Errorf("--dir %s: it is in another module, that of %s: want a directory of %s",
			p.program, filepath.Join(root, "go.mod"), p.Module)
	}
	if p.Config.Client.Build == "" && p.hasCode() && !p.exists(path.Join(p.program, "main.go")) {
		return fmt.Errorf("--dir %s: it has Go files already: name a directory that has none", p.program)
	}
	return nil
}

// hasCode reports whether the program's directory has Go files.
func (p *plan) hasCode() bool {
	found, err := filepath.Glob(filepath.Join(quoteMeta(p.Root), filepath.FromSlash(p.program), "*.go"))
	return err == nil && len(found) > 0
}

// quoteMeta returns a pattern for [filepath.Glob] that matches the path alone.
func quoteMeta(path string) string {
	if runtime.GOOS == "windows" { // there, patterns have no escapes
		return path
	}
	return regexp.MustCompile(`[*?[\\]`).ReplaceAllString(path, `\$0`)
}

// exists reports whether there is something at a path from the root, be it a link that leads
// nowhere.
func (p *plan) exists(name string) bool {
	_, err := os.Lstat(filepath.Join(p.Root, filepath.FromSlash(name)))
	return err == nil
}

// checkInside returns an error if a link leads the directory of a file, a path from the root, out of the
// repository, or out of the module if there is none.
func (p *plan) checkInside(name string) error {
	top, err := filepath.EvalSymlinks(cmp.Or(p.repository, p.Root))
	if err != nil {
		return err
	}
	dir := filepath.Dir(filepath.Join(p.Root, filepath.FromSlash(name)))
	at, err := filepath.EvalSymlinks(dir)
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) { // it isn't made yet
		dir = filepath.Dir(dir)
		at, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil // making the directory says why
	}
	if rel, err := filepath.Rel(top, at); err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("%s: the link %s leads to %s, out of the project: want a directory there", name, dir, at)
	}
	return nil
}

// maxName bounds the name of a client, in bytes.
const maxName = 64

// clientName returns name, or else a name that is derived from the path of the module.
func clientName(name, modulePath string) (string, error) {
	if name != "" {
		if len(name) > maxName || !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`).MatchString(name) {
			return "", fmt.Errorf("--client %q: want a word of at most %d letters, digits, dots, dashes and underscores",
				name, maxName)
		}
		return name, nil
	}
	prefix, _, ok := module.SplitPathVersion(modulePath)
	if !ok {
		prefix = modulePath
	}
	name = regexp.MustCompile(`[^A-Za-z0-9._-]+`).ReplaceAllString(path.Base(prefix), "-")
	if name = strings.TrimLeft(name, "._-"); name == "" {
		return "client", nil
	}
	return name[:min(len(name), maxName)], nil
}

// onGitHub reports whether the repository has a directory .github or a remote at GitHub. Without
// the program git it doesn't know of remotes.
func (p *plan) onGitHub(ctx context.Context) bool {
	if p.repository == "" {
		return false
	}
	if info, err := os.Stat(filepath.Join(p.repository, ".github")); err == nil && info.IsDir() {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	remotes, err := childproc.Output(ctx, p.repository, "git", "remote", "-v")
	return err == nil && regexp.MustCompile(`(?i)[@/.]github\.com[:/]`).MatchString(remotes)
}
