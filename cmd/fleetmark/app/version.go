package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/module"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/internal/project"
	"github.com/fleetmark/fleetmark/scenarios/abtest"
)

// versionJSON is the object that `version --json` prints, a contract with scripts.
type versionJSON struct {
	Module  string `json:"module"`
	Version string `json:"version"` // of the module; "(devel)" if the build has none
	Commit  string `json:"commit"`  // empty if it isn't known
	Dirty   *bool  `json:"dirty"`   // the source was changed since the commit; null if the commit isn't known
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`

	// GateProtocol says to `gate --command` that the program has these commands, and which version of
	// the protocol its drive speaks.
	GateProtocol int `json:"gate_protocol"`
}

func newVersion(c cli.Console) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "version", Args: cobra.NoArgs,
		Short: "Print the version: module, commit, whether it was changed since, Go",
		RunE:  func(cmd *cobra.Command, _ []string) error { return showVersion(cmd.Context(), asJSON, c) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

func showVersion(ctx context.Context, asJSON bool, c cli.Console) error {
	v := thisVersion(ctx)
	if asJSON {
		return json.NewEncoder(c.Out).Encode(v)
	}
	_, err := fmt.Fprintln(c.Out, v)
	return err
}

// thisVersion returns the version of the running command. Under go run it names the commit that is
// checked out.
func thisVersion(ctx context.Context) versionJSON {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(info, project.Revision(ctx))
}

// versionOf returns what a build recorded about itself. revision names its source, as
// [project.Revision] does.
func versionOf(info *debug.BuildInfo, revision string) versionJSON {
	v := versionJSON{
		Module: info.Main.Path, Version: cmp.Or(info.Main.Version, "(devel)"),
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		GateProtocol: abtest.ProtocolVersion,
	}
	commit, dirty := strings.CutSuffix(revision, "+dirty")
	switch commit {
	case project.UnknownRevision:
		return v
	case strings.TrimSuffix(v.Version, "+dirty"): // installed by version, so no commit was recorded
		rev, err := module.PseudoVersionRev(commit)
		if err != nil { // a tag
			return v
		}
		commit = rev
	}
	v.Commit, v.Dirty = commit, &dirty
	return v
}

// String returns a line such as "fleetmark v1.2.3, commit 8511428a0f6e… (dirty), go1.26.0
// linux/amd64".
func (v versionJSON) String() string {
	commit := cmp.Or(v.Commit, "unknown")
	if v.Dirty != nil && *v.Dirty {
		commit += " (dirty)"
	}
	return fmt.Sprintf("fleetmark %s, commit %s, %s %s/%s", v.Version, commit, v.Go, v.OS, v.Arch)
}
