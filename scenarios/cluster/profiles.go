package cluster

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/pprof/profile"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/profiles"
	"github.com/fleetmark/fleetmark/results/rundir"
	"github.com/fleetmark/fleetmark/scenarios/runner"
)

// After the last repetition, each agent puts the profiles of its run directory into the run's
// object store: one object, an archive of the files. The controller merges those of all agents that
// are of the same kind and repetition. A profile that is lost makes the figures no worse, so that
// it is noted, and the run stays valid.

const (
	maxUpload  = 64 << 20        // bytes of profiles that an agent uploads
	uploadTime = 2 * time.Minute // in which it has to be done
	maxLabeled = 32              // agents whose samples are told apart in merged profiles
	agentLabel = "agent"         // label of a sample: the name of the agent that it comes from
)

// profilesObject returns the name of the object with an agent's profiles.
func profilesObject(agent string) string { return "profiles/" + agent }

// An uploadState says what became of an agent's profiles.
type uploadState struct {
	Object  string   `json:"object,omitempty"`  // that has them; empty if there is none
	Problem string   `json:"problem,omitempty"` // why they, or some of them, weren't uploaded
	Kept    []string `json:"kept,omitempty"`    // files that can't be merged, and stay with the agent; a few of them
}

// uploadProfiles puts the profiles of the agent's run directory into the object store, if there are
// any.
func (j *job) uploadProfiles(ctx context.Context) (u uploadState) {
	list, kept, err := findProfiles(j.directory)
	u.Kept = kept[:min(len(kept), maxNamed)]
	if err == nil && len(list) > 0 {
		ctx, cancel := context.WithTimeout(ctx, uploadTime)
		defer cancel()
		u.Object = profilesObject(j.agent.Name)
		err = j.upload(ctx, u.Object, list)
	}
	if err != nil {
		u.Object, u.Problem = "", err.Error()
	}
	return u
}

// findProfiles returns the paths of the profiles in a run directory, and the names of other files
// among them.
func findProfiles(dir string) (list, others []string, err error) {
	dir = filepath.Join(dir, rundir.ProfilesName)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	size := int64(0)
	for _, e := range entries {
		if _, _, ok := profiles.ParseFileName(e.Name()); !ok || !e.Type().IsRegular() {
			others = append(others, e.Name())
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, nil, err
		}
		if size += info.Size(); size > maxUpload {
			return nil, others, fmt.Errorf("they are larger than %d MiB", maxUpload>>20)
		}
		list = append(list, filepath.Join(dir, e.Name()))
	}
	return list, others, nil
}

// A readerFunc is an io.Reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// upload puts files into the object store, as an archive. ctx must have a deadline.
func (j *job) upload(ctx context.Context, object string, files []string) error {
	store, err := j.js.ObjectStore(ctx, runName(j.offer.Run))
	if err != nil {
		return err
	}
	from, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := archive(to, files)
		_ = to.CloseWithError(err) // never fails
		written <- err
	}()
	// Put sends as fast as it reads. On a slow network the agent's states would wait behind
	// everything, so the next part is read once the server has the one before.
	paced := readerFunc(func(p []byte) (int, error) {
		if err := j.agent.conn.FlushWithContext(ctx); err != nil {
			return 0, err
		}
		return from.Read(p)
	})
	_, err = store.Put(ctx, jetstream.ObjectMeta{Name: object}, paced)
	_ = from.Close() // ends the goroutine if Put didn't read everything; never fails
	if failed := <-written; failed != nil && err == nil {
		err = failed
	}
	return err
}

// archive writes files to w, by the last elements of their paths.
func archive(w io.Writer, files []string) error {
	t := tar.NewWriter(w)
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.Base(path), Mode: 0o644, Size: int64(len(text))}
		if err := t.WriteHeader(h); err != nil {
			return err
		}
		if _, err := t.Write(text); err != nil {
			return err
		}
	}
	return t.Close()
}

// takesProfiles reports whether the run's agents have profiles to upload.
func (r *session) takesProfiles() bool { return r.spec.Profiled > 0 }

// collectProfiles merges the profiles of all agents into the run's directory. Meanwhile it goes on
// hearing the agents. What is missing is noted.
func (r *session) collectProfiles(ctx context.Context) error {
	if !r.takesProfiles() {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := profileMerger{
		js: r.c.js, run: r.token, into: filepath.Join(r.merging.Directory(), rundir.ProfilesName), machine: r.machine,
		labeled: len(r.drivers) <= maxLabeled,
	}
	for _, d := range r.drivers {
		m.agents = append(m.agents, profiledAgent{d.Name, d.state.Upload})
	}
	var notes []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		notes = m.merge(ctx)
	}()
	_, shown := r.waitFor(r.last, runner.Profiles, nil, nil)
	defer shown()
	err := r.await(ctx, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	cancel()
	<-done
	if err != nil {
		return err
	}
	for _, text := range notes {
		r.merging.Note(text)
	}
	return nil
}

// A profileMerger merges the profiles of a run's agents.
type profileMerger struct {
	js      jetstream.JetStream
	run     string
	into    string // the directory of the merged profiles
	machine string // identity of the merged run's machine
	labeled bool   // whether samples are labeled with their agent
	agents  []profiledAgent
}

// A profiledAgent is an agent, and what it has uploaded.
type profiledAgent struct {
	name   string
	upload uploadState
}

// merge merges the profiles, and returns what readers should know of it.
func (p *profileMerger) merge(ctx context.Context) []string {
	dir, err := scratch.New("", "fleetmark-profiles")
	if err != nil {
		return []string{"the agents' profiles were not merged: " + plaintext.Line(err.Error())}
	}
	defer func() { _ = dir.Close() }() // the next process removes what remains
	var missing, kept []string
	found := map[string]map[string]string{} // paths by the name of the file and the name of the agent
	for _, a := range p.agents {
		for _, name := range a.upload.Kept {
			if !slices.Contains(kept, name) && len(kept) < maxNamed {
				kept = append(kept, name)
			}
		}
		problem := a.upload.Problem
		if a.upload.Object != "" {
			list, err := p.fetch(ctx, a.upload.Object, filepath.Join(dir.Path, a.name))
			if err != nil {
				problem = err.Error()
			}
			for _, path := range list {
				name := filepath.Base(path)
				if found[name] == nil {
					found[name] = map[string]string{}
				}
				found[name][a.name] = path
			}
		}
		if problem != "" {
			missing = append(missing, fmt.Sprintf("agent %s: its profiles are missing in the merged ones: %s", a.name,
				plaintext.Line(problem)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		for _, err := range p.mergeFile(name, found[name]) {
			missing = append(missing, plaintext.Line(err.Error()))
		}
	}
	if more := len(missing) - maxNamed; more > 0 {
		missing = append(missing[:maxNamed], fmt.Sprintf("and %d more profiles are missing in the merged ones", more))
	}
	if len(kept) > 0 {
		missing = append(missing, "what can't be merged stays in the run directories of the agents: profiles/"+
			plaintext.Line(strings.Join(kept, ", profiles/")))
	}
	return missing
}

// fetch gets an agent's profiles from the object store into a new directory, and returns their
// paths.
func (p *profileMerger) fetch(ctx context.Context, object, dir string) (list []string, err error) {
	store, err := p.js.ObjectStore(ctx, runName(p.run))
	if err != nil {
		return nil, err
	}
	from, err := store.Get(ctx, object)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.Close()) }()
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	return extract(from, dir)
}

// extract writes the profiles of an archive into a directory, and returns their paths. It returns
// an error for an archive with other files, or with more than an agent may upload.
func extract(from io.Reader, dir string) (list []string, err error) {
	const overhead = 1 << 20 // of the archive itself
	from = io.LimitReader(from, maxUpload+overhead)
	t := tar.NewReader(from)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			if _, err := io.Copy(io.Discard, from); err != nil { // what was read is checked at its end
				return nil, err
			}
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		if _, _, ok := profiles.ParseFileName(h.Name); !ok || h.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("%q is not the name of a profile", h.Name)
		}
		f, err := os.OpenFile(filepath.Join(dir, h.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return nil, err
		}
		_, err = io.Copy(f, t)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		list = append(list, f.Name())
	}
}

// mergeFile merges profiles of one kind and repetition, which are given by the names of their
// agents. It leaves out those that can't be read, and returns an error for each.
func (p *profileMerger) mergeFile(name string, files map[string]string) (failed []error) {
	kind, repetition, _ := profiles.ParseFileName(name) // it was parsed before
	var sum *profile.Profile
	for _, agent := range slices.Sorted(maps.Keys(files)) {
		of, err := profiles.Load(files[agent])
		if err == nil {
			if p.labeled {
				profiles.LabelSamples(of, agentLabel, agent)
			}
			if sum != nil {
				of, err = profiles.Merge(sum, of)
			}
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("agent %s: its profiles/%s is missing in the merged one: %w", agent, name, err))
			continue
		}
		sum = of
	}
	if sum == nil {
		return failed
	}
	profiles.SetLabel(sum, profiles.MachineLabel, p.machine)
	err := profiles.MakeDirectory(p.into)
	if err == nil {
		_, err = profiles.Write(p.into, kind, repetition, sum)
	}
	if err != nil {
		failed = append(failed, fmt.Errorf("profiles/%s was not merged: %w", name, err))
	}
	return failed
}
