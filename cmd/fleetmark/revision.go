package main

import (
	"context"
	"os/exec"
	"runtime/debug"
	"strings"
	"time"
)

const unknownRevision = "unknown"

// revision names the source that this command was built from: what the build
// recorded, or, under go run, the checkout that it is run in. A source that was
// changed since is marked +dirty.
func revision(ctx context.Context) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		var rev, dirty string
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				rev = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = "+dirty"
			}
		}
		if rev != "" {
			return rev + dirty
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	rev, err := git(ctx, "rev-parse", "HEAD")
	if err != nil {
		return unknownRevision
	}
	if changed, err := git(ctx, "status", "--porcelain", "--untracked-files=no"); err != nil || changed != "" {
		rev += "+dirty"
	}
	return rev
}

func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	return strings.TrimSpace(string(out)), err
}
