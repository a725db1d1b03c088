package results

import (
	"bytes"
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
	HTMLFile     = "report.html"
	ProfilesName = "profiles"
)

// A RunDirectory is the directory that a run in progress writes. What its methods
// write is on the disk when they return, so that the directory can be read at
// every moment, whatever happens to the process. The methods may be called from
// several goroutines.
//
// It takes its name with the first WriteRun and is hidden before, so that no kill
// leaves a directory without run.json. That file says how much of the others belongs to
// what it tells (Run.Lengths): what a kill left beyond that, a line cut in half or
// samples of a repetition that nobody has judged, is no part of the run.
type RunDirectory struct {
	path string

	mu      sync.Mutex
	at      string // where it is: path, or a hidden name before the first WriteRun
	samples *SampleWriter
	encoded bytes.Buffer             // what samples has written and no file has yet
	files   map[string]*appendedFile // closed by Close
	reserve *os.File                 // room for the last word on a full disk; nil: none is left
	failed  error                    // why the files take nothing more
	closed  bool
}

// appendedFile is one that grows.
type appendedFile struct {
	*os.File
	size int64 // of what was appended whole
}

// A Part is what is to be appended to one of a run directory's files, in whole lines.
type Part struct {
	Name string // such as latency.hlog
	Data []byte
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
		d := &RunDirectory{path: filepath.Join(parent, name), at: filepath.Join(parent, "."+name+".tmp"), files: make(map[string]*appendedFile)}
		if _, err = os.Lstat(d.path); err == nil {
			err = os.ErrExist
		} else if err = os.Mkdir(d.at, 0o755); err == nil {
			made = append(made, d.at)
			if err = os.Mkdir(filepath.Join(d.at, ProfilesName), 0o755); err == nil {
				made = append(made, filepath.Join(d.at, ProfilesName))
				if d.reserve, err = newReserve(d.at); err == nil {
					return d, nil
				}
			}
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

// Path is the directory's path: the parent as it was given, and the name below it. It
// is there from the first WriteRun on.
func (d *RunDirectory) Path() string { return d.path }

// ProfilesDir is the path of the directory for profiles, which exists from the first
// WriteRun on.
func (d *RunDirectory) ProfilesDir() string { return filepath.Join(d.path, ProfilesName) }

// WriteRun replaces run.json, atomically. It must come first, so that nothing stands in
// a directory that doesn't say what it is of. On a full disk a run that is over is
// written all the same: room was kept for that.
func (d *RunDirectory) WriteRun(run Run) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := filepath.Join(d.at, RunFile)
	if d.closed {
		return fmt.Errorf("write %s: %w", path, os.ErrClosed)
	}
	run.Schema = RunSchema
	run.Started, run.Finished = run.Started.UTC(), run.Finished.UTC()
	run.Lengths = map[string]int64{SamplesFile: 0}
	for name, f := range d.files {
		run.Lengths[name] = f.size
	}
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	data = append(data, '\n')
	err = AtomicWriteFile(path, data)
	if err != nil && isFull(err) && run.Status != StatusRunning && d.reserve != nil {
		err = errors.Join(d.freeReserve(), AtomicWriteFile(path, data))
	}
	if err != nil {
		return err
	}
	if d.samples == nil && run.Machine.GOMAXPROCS > 0 {
		d.samples = NewSampleWriter(&d.encoded, run.Machine.GOMAXPROCS)
	}
	return d.appear()
}

// appear gives the directory its name.
func (d *RunDirectory) appear() error {
	if d.at == d.path {
		return nil
	}
	if err := os.Rename(d.at, d.path); err != nil {
		return err
	}
	d.at = d.path
	return syncDirectory(filepath.Dir(d.path))
}

// AppendSamples adds a line a record to samples.txt and flushes it to the disk.
func (d *RunDirectory) AppendSamples(records ...Record) error { return d.AppendRepetition(records) }

// AppendRepetition adds what one repetition came to: a line a record to samples.txt, and
// more to other files. All of it is on the disk when it returns, or, after an error,
// nothing: every file ends as it did before, and takes no more. It becomes a part of the run
// with the next WriteRun.
func (d *RunDirectory) AppendRepetition(records []Record, more ...Part) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.samples == nil {
		return fmt.Errorf("append to %s: run.json with the machine's GOMAXPROCS must be written first", filepath.Join(d.at, SamplesFile))
	}
	if d.failed != nil {
		return d.failed
	}
	d.encoded.Reset()
	if err := d.samples.Write(records...); err != nil {
		return err
	}
	parts := append([]Part{{SamplesFile, d.encoded.Bytes()}}, more...)
	var touched []*appendedFile
	for _, p := range parts {
		if len(p.Data) == 0 {
			continue
		}
		f, err := d.open(p.Name)
		if err == nil {
			touched = append(touched, f)
			if _, err = f.Write(p.Data); err == nil {
				err = f.Sync()
			}
		}
		if err != nil {
			for _, f := range touched {
				err = errors.Join(err, f.Truncate(f.size))
			}
			d.failed = fmt.Errorf("append to the run directory: %w", err)
			return d.failed
		}
	}
	i := 0
	for _, p := range parts {
		if len(p.Data) > 0 {
			touched[i].size += int64(len(p.Data))
			i++
		}
	}
	return nil
}

// open gives a file that is appended to, and makes it where it is missing.
func (d *RunDirectory) open(name string) (*appendedFile, error) {
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
	d.files[name] = &appendedFile{File: f}
	return d.files[name], nil
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
	errs := []error{d.freeReserve()}
	for _, f := range d.files {
		errs = append(errs, f.Sync(), f.Close())
	}
	if err := errors.Join(append(errs, syncDirectory(d.at))...); err != nil {
		return fmt.Errorf("close run directory %s: %w", d.path, err)
	}
	return nil
}

// Discard closes the directory and removes it: no run was begun in it.
func (d *RunDirectory) Discard() error {
	return errors.Join(d.Close(), os.RemoveAll(d.at))
}
