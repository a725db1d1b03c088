package project

import (
	"context"
	"os"
	"runtime/debug"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
)

// UnknownRevision is the revision of a program whose source isn't known.
const UnknownRevision = "unknown"

// Revision returns the revision of the source that the running program was built from: what the
// build recorded or, under go run, the commit of the checkout around the current directory. It ends
// in +dirty if the source differs from that revision.
func Revision(ctx context.Context) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return UnknownRevision
	}
	if rev := buildRevision(info); rev != "" {
		return rev
	}
	dir, err := os.Getwd()
	if err != nil {
		return UnknownRevision
	}
	return checkoutRevision(ctx, dir, info.Main.Path)
}

// buildRevision returns what the build recorded: a commit, or the version of a module that was
// installed by version. It returns "" if the build recorded neither.
func buildRevision(info *debug.BuildInfo) string {
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

// checkoutRevision returns the commit of the checkout that contains dir, if module is at its root.
// It returns UnknownRevision in another project, whose history says nothing about this program.
func checkoutRevision(ctx context.Context, dir, module string) string {
	dir, found, err := Module(dir)
	if err != nil || found != module {
		return UnknownRevision
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if below, err := git(ctx, dir, "rev-parse", "--show-prefix"); err != nil || below != "" {
		return UnknownRevision
	}
	rev, err := git(ctx, dir, "rev-parse", "HEAD")
	if err != nil {
		return UnknownRevision
	}
	if changed, err := git(ctx, dir, "status", "--porcelain", "--untracked-files=no"); err != nil || changed != "" {
		rev += "+dirty"
	}
	return rev
}

func git(ctx context.Context, dir string, args ...string) (string, error) {
	return childproc.Output(ctx, dir, "git", args...)
}
