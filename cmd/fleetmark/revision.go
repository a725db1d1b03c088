package main

import (
	"context"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/project"
)

const unknownRevision = "unknown"

// revision names the source that this command was built from: what the build
// recorded, or, under go run, the checkout that it is run in. A source that was
// changed since is marked +dirty.
func revision(ctx context.Context) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return unknownRevision
	}
	if rev := builtFrom(info); rev != "" {
		return rev
	}
	dir, err := os.Getwd()
	if err != nil {
		return unknownRevision
	}
	return checkedOut(ctx, dir, info.Main.Path)
}

// builtFrom is what the build recorded: a commit, or the version of a module that
// was installed as such. Empty: neither.
func builtFrom(info *debug.BuildInfo) string {
	var rev, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			rev = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+dirty"
		}
	}
	switch {
	case rev != "":
		return rev + dirty
	case info.Main.Version != "(devel)":
		return info.Main.Version
	}
	return ""
}

// checkedOut is the commit of the checkout that dir is in, if the module is at its
// root: the command may as well be run in somebody's own project, whose history
// says nothing of this.
func checkedOut(ctx context.Context, dir, module string) string {
	dir, found, err := project.Module(dir)
	if err != nil || found != module {
		return unknownRevision
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if below, err := git(ctx, dir, "rev-parse", "--show-prefix"); err != nil || below != "" {
		return unknownRevision
	}
	rev, err := git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return unknownRevision
	}
	if changed, err := git(ctx, dir, "status", "--porcelain", "--untracked-files=no"); err != nil || changed != "" {
		rev += "+dirty"
	}
	return rev
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
	return strings.TrimSpace(string(out)), err
}
