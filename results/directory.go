package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Names inside a run directory.
const (
	RunFile      = "run.json"
	SamplesFile  = "samples.txt"
	LatencyFile  = "latency.hlog"
	FailuresFile = "failures.jsonl"
	ReportFile   = "report.md"
	ProfilesName = "profiles"
)

// A RunDirectory is the directory that a run in progress writes. What its methods
// write is on the disk when they return, so that the directory can be read at
// every moment, whatever happens to the process; what goes through File is the
// caller's to flush. The methods may be called from several goroutines.
type RunDirectory struct {
	path string

	mu      sync.Mutex
	samples *SampleWriter
	size    int64               // of samples.txt, up to the last whole line
	files   map[string]*os.File // opened by File or AppendSamples, closed by Close
	failed  error               // why samples.txt takes no more lines
	closed  bool
}

// CreateRunDirectory makes the directory parent/<started, UTC>-<scenario>-<id>,
// and parent where it is missing. id tells apart runs that start in the same
// second. Where it can't be made, the error is an [*InputError] and nothing is
// left behind.
func CreateRunDirectory(parent, scenario string, started time.Time, id string) (*RunDirectory, error) {
	for what, word := range map[string]string{"scenario": scenario, "run id": id} {
		if err := checkWord(what, word); err != nil {
			return nil, fmt.Errorf("create run directory: %w", err)
		}
	}
	name := started.UTC().Format("20060102T150405Z") + "-" + scenario + "-" + id
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return nil, fmt.Errorf("create run directory: %q: want a name without path separators", name)
	}
	if parent == "" {
		parent = "."
	}
	made, err := makeAll(parent)
	if err == nil {
		path := filepath.Join(parent, name)
		if err = os.Mkdir(path, 0o755); err == nil {
			made = append(made, path)
			err = errors.Join(os.Mkdir(filepath.Join(path, ProfilesName), 0o755), syncDirectory(parent))
			if err == nil {
				return &RunDirectory{path: path, files: make(map[string]*os.File)}, nil
			}
			made = append(made, filepath.Join(path, ProfilesName))
		}
	}
	for i := len(made) - 1; i >= 0; i-- {
		err = errors.Join(err, ignoreMissing(os.Remove(made[i])))
	}
	return nil, &InputError{Path: parent, Problem: "no run directory can be made in it (" + cause(err) + ")", Want: "name a directory that can be written", Err: err}
}

// makeAll is os.MkdirAll that says which directories it made, outermost first.
func makeAll(path string) (made []string, err error) {
	var missing []string
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err == nil {
			if !info.IsDir() {
				return nil, &os.PathError{Op: "mkdir", Path: at, Err: errors.New("not a directory")}
			}
			break
		}
		if !errors.Is(err, os.ErrNotExist) || at == filepath.Dir(at) {
			return nil, err
		}
		missing = append(missing, at)
	}
	for i := len(missing) - 1; i >= 0; i-- {
		err := os.Mkdir(missing[i], 0o755)
		switch {
		case err == nil:
			made = append(made, missing[i])
		case !errors.Is(err, os.ErrExist): // another run may have made it meanwhile
			return made, err
		}
	}
	return made, nil
}

// Path is the directory's path: the parent as it was given, and the name below it.
func (d *RunDirectory) Path() string { return d.path }

// ProfilesDir is the path of the directory for profiles, which exists.
func (d *RunDirectory) ProfilesDir() string { return filepath.Join(d.path, ProfilesName) }

// WriteRun replaces run.json, atomically. It must come before the first
// AppendSamples, so that samples never stand in a directory that doesn't say what
// they are of.
func (d *RunDirectory) WriteRun(run Run) error {
	run.Schema = RunSchema
	run.Started, run.Finished = run.Started.UTC(), run.Finished.UTC()
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Join(d.path, RunFile), err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fmt.Errorf("write %s: %w", filepath.Join(d.path, RunFile), os.ErrClosed)
	}
	if err := AtomicWriteFile(filepath.Join(d.path, RunFile), append(data, '\n')); err != nil {
		return err
	}
	if d.samples == nil && run.Machine.GOMAXPROCS > 0 {
		d.samples = NewSampleWriter(appender{d}, run.Machine.GOMAXPROCS)
	}
	return nil
}

// AppendSamples adds a line a record to samples.txt and flushes it to the disk.
// After an error of the disk, samples.txt ends with the last line that was
// written whole, and takes no more.
func (d *RunDirectory) AppendSamples(records ...Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.samples == nil {
		return fmt.Errorf("append to %s: run.json with the machine's GOMAXPROCS must be written first", filepath.Join(d.path, SamplesFile))
	}
	return d.samples.Write(records...)
}

// appender is samples.txt as the SampleWriter sees it; d.mu is held.
type appender struct{ d *RunDirectory }

func (a appender) Write(p []byte) (int, error) {
	d := a.d
	if d.failed != nil {
		return 0, d.failed
	}
	f, err := d.open(SamplesFile)
	if err != nil {
		return 0, err
	}
	n, err := f.Write(p)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		d.failed = errors.Join(err, f.Truncate(d.size))
		return 0, d.failed
	}
	d.size += int64(n)
	return n, nil
}

// File opens a file of the directory for appending, such as latency.hlog, and
// makes it where it is missing. The same name gives the same file again. The
// directory owns it: Close closes it.
func (d *RunDirectory) File(name string) (*os.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open(name)
}

func (d *RunDirectory) open(name string) (*os.File, error) {
	path, err := d.join(name)
	if err != nil {
		return nil, err
	}
	if d.closed {
		return nil, fmt.Errorf("open %s: %w", path, os.ErrClosed)
	}
	if f := d.files[name]; f != nil {
		return f, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open a file of the run: %w", err)
	}
	d.files[name] = f
	return f, nil
}

// WriteFile replaces a file of the directory, such as report.md, atomically.
func (d *RunDirectory) WriteFile(name string, data []byte) error {
	path, err := d.join(name)
	if err != nil {
		return err
	}
	return AtomicWriteFile(path, data)
}

func (d *RunDirectory) join(name string) (string, error) {
	if !filepath.IsLocal(name) || filepath.Base(name) != name || name == "." {
		return "", fmt.Errorf("run directory %s: file %q: want a name without path separators", d.path, name)
	}
	return filepath.Join(d.path, name), nil
}

// Close flushes and closes the files. The directory stays as it is. A second
// call does nothing.
func (d *RunDirectory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	for _, f := range d.files {
		// A caller may have closed its file already; then its data is its own affair.
		errs = append(errs, ignoreClosed(f.Sync()), ignoreClosed(f.Close()))
	}
	if err := errors.Join(append(errs, syncDirectory(d.path))...); err != nil {
		return fmt.Errorf("close run directory %s: %w", d.path, err)
	}
	return nil
}
