package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
	"github.com/fleetmark/fleetmark/results"
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

	// PartialLatencyFile holds the response times of a partial repetition, as latency.hlog holds those of
	// complete ones.
	PartialLatencyFile = "partial.hlog"
)

// A Directory is the directory that a run in progress writes. What its methods write is on the disk when
// they return, so the directory can be read at every moment, whatever happens to the process. The methods
// may be called from several goroutines.
//
// The directory gets its name with the first WriteRun and is hidden before, so no kill leaves one without
// run.json. That file says how much of the others belongs to the run (Run.FileLengths): what a kill left beyond
// that, a line cut in half or samples of a repetition that nobody has judged, is no part of the run.
type Directory struct {
	path string

	mu      sync.Mutex
	current string // where it is: path, or a hidden name before the first WriteRun
	samples *results.SampleWriter
	encoded bytes.Buffer             // what samples has written and no file holds yet
	files   map[string]*appendedFile // closed by Close
	spare   *os.File                 // space for the last run.json on a full disk; nil if none is left
	failed  error                    // why the files take nothing more
	closed  bool
}

// An appendedFile is a file that grows.
type appendedFile struct {
	*os.File
	size int64 // of what was appended completely
}

// A Chunk is appended to one of a run directory's files. It consists of whole lines.
type Chunk struct {
	Name string // such as latency.hlog
	Data []byte
}

// Create makes the directory parent/<started, UTC>-<scenario>-<id>, and parent if it is missing. id tells
// apart runs that start in the same second. If the directory can't be made, the error is an
// [*results.InputError] and nothing is left behind.
func Create(parent, scenario string, started time.Time, id string) (*Directory, error) {
	for what, word := range map[string]string{"scenario": scenario, "run id": id} {
		if err := results.CheckName(what, word); err != nil {
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
	made, err := mkdirTracked(parent)
	if err == nil {
		d := &Directory{path: filepath.Join(parent, name), current: filepath.Join(parent, "."+name+".tmp"), files: make(map[string]*appendedFile)}
		if _, err = os.Lstat(d.path); err == nil {
			err = os.ErrExist
		} else if err = os.Mkdir(d.current, 0o755); err == nil {
			made = append(made, d.current)
			if err = os.Mkdir(filepath.Join(d.current, ProfilesName), 0o755); err == nil {
				made = append(made, filepath.Join(d.current, ProfilesName))
				if d.spare, err = newSpareSpace(d.current); err == nil {
					return d, nil
				}
			}
		}
	}
	for i := len(made) - 1; i >= 0; i-- {
		err = errors.Join(err, removeAgain(made[i]))
	}
	return nil, &results.InputError{Path: parent, Problem: "no run directory can be made in it (" + results.WithoutPath(err) + ")", Want: "name a directory that can be written", Err: err}
}

// removeAgain removes a directory that was just made. It is no error if the directory is gone.
func removeAgain(dir string) error {
	if err := os.Remove(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// mkdirTracked makes the directories of path that are missing, as [os.MkdirAll] does. It returns those that
// it made, outermost first.
func mkdirTracked(path string) (made []string, err error) {
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

// Path returns the directory's path: the parent as it was given, and the name below it. The directory exists
// from the first WriteRun on.
func (d *Directory) Path() string { return d.path }

// ProfilesDir returns the path of the directory for profiles, which exists from the first WriteRun on.
func (d *Directory) ProfilesDir() string { return filepath.Join(d.path, ProfilesName) }

// WriteRun replaces run.json, atomically. It must be called first, so that no directory holds something
// without saying what it is. A run that is over is written even if the disk is full: space was kept for
// that.
func (d *Directory) WriteRun(run results.Run) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	path := filepath.Join(d.current, RunFile)
	if d.closed {
		return fmt.Errorf("write %s: %w", path, os.ErrClosed)
	}
	run.Schema = results.RunSchema
	run.Started, run.Finished = run.Started.UTC(), run.Finished.UTC()
	run.FileLengths = map[string]int64{SamplesFile: 0}
	for name, f := range d.files {
		run.FileLengths[name] = f.size
	}
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	data = append(data, '\n')
	err = atomicfile.Write(path, data)
	if err != nil && isDiskFull(err) && run.Status != results.StatusRunning && d.spare != nil {
		err = errors.Join(d.releaseSpare(), atomicfile.Write(path, data))
	}
	if err != nil {
		return err
	}
	if d.samples == nil && run.Machine.GOMAXPROCS > 0 {
		d.samples = results.NewSampleWriter(&d.encoded, run.Machine.GOMAXPROCS)
	}
	return d.publish()
}

// publish gives the directory its name.
func (d *Directory) publish() error {
	if d.current == d.path {
		return nil
	}
	if err := os.Rename(d.current, d.path); err != nil {
		return err
	}
	d.current = d.path
	return atomicfile.SyncDirectory(filepath.Dir(d.path))
}

// AppendRepetition appends what one repetition measured: a line for each record to samples.txt, and more to
// other files. All of it is on the disk when it returns, or nothing if it returns an error: then every file
// ends as it did before, and takes no more. It becomes a part of the run with the next WriteRun.
func (d *Directory) AppendRepetition(records []results.Record, more ...Chunk) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.samples == nil {
		return fmt.Errorf("append to %s: run.json with the machine's GOMAXPROCS must be written first", filepath.Join(d.current, SamplesFile))
	}
	if d.failed != nil {
		return d.failed
	}
	d.encoded.Reset()
	if err := d.samples.Write(records...); err != nil {
		return err
	}
	chunks := append([]Chunk{{SamplesFile, d.encoded.Bytes()}}, more...)
	var touched []*appendedFile
	for _, c := range chunks {
		if len(c.Data) == 0 {
			continue
		}
		f, err := d.open(c.Name)
		if err == nil {
			touched = append(touched, f)
			if _, err = f.Write(c.Data); err == nil {
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
	for _, c := range chunks {
		if len(c.Data) > 0 {
			touched[i].size += int64(len(c.Data))
			i++
		}
	}
	return nil
}

// open returns a file that is appended to, and makes it if it is missing.
func (d *Directory) open(name string) (*appendedFile, error) {
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
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return nil, fmt.Errorf("open a file of the run: %w", err)
	}
	d.files[name] = &appendedFile{File: f}
	return d.files[name], nil
}

func (d *Directory) join(name string) (string, error) {
	if !filepath.IsLocal(name) || filepath.Base(name) != name || name == "." {
		return "", fmt.Errorf("run directory %s: file %q: want a name without path separators", d.path, name)
	}
	return filepath.Join(d.path, name), nil
}

// Close flushes and closes the files. The directory stays as it is. A second call does nothing.
func (d *Directory) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	errs := []error{d.releaseSpare()}
	for _, f := range d.files {
		errs = append(errs, f.Sync(), f.Close())
	}
	if err := errors.Join(append(errs, atomicfile.SyncDirectory(d.current))...); err != nil {
		return fmt.Errorf("close run directory %s: %w", d.path, err)
	}
	return nil
}

// Discard closes the directory and removes it. It is for a directory in which no run was begun.
func (d *Directory) Discard() error {
	return errors.Join(d.Close(), os.RemoveAll(d.current))
}
