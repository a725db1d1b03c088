// Package rundir writes and reads the directory of one run.
//
// A run in progress writes it through a [Directory]: run.json when the run begins and after each
// repetition, and what each repetition measured to files that only grow. All of it is on the disk
// when a method returns, so [Load] can read the directory at every moment, whatever became of the
// process. run.json says how much of the other files belongs to the run; Load drops the rest, and
// says so in [Loaded.Warnings].
//
// [List] lists the runs of a folder by reading their run.json alone.
//
// The package doesn't interpret what it stores: packages judge and report do.
package rundir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	TimelineFile = "timeline.jsonl"
	FailuresFile = "failures.jsonl"
	ReportFile   = "report.md"
	HTMLFile     = "report.html"
	ProfilesName = "profiles"

	// PartialLatencyFile and PartialTimelineFile hold the intervals of a repetition that goes on, or
	// that was broken off. They have the formats of latency.hlog and timeline.jsonl, which hold the
	// intervals of complete repetitions.
	PartialLatencyFile  = "partial.hlog"
	PartialTimelineFile = "partial.jsonl"
)

// What follows the operation in the tags of latency.hlog. A tag that is only the operation is that
// of the response times of the whole fleet.
const (
	// ServiceTag says that the histogram holds service times instead of response times.
	ServiceTag = "/service"
	// GroupTag, which the name of a group of devices follows, says that the histogram holds the
	// group's response times in a whole repetition.
	GroupTag = "/group="
)

// A Directory is the directory that a run in progress writes. What its methods write is on the disk
// when they return, so the directory can be read at every moment, whatever happens to the process.
// Its methods may be called concurrently.
//
// The directory is hidden until the first WriteRun gives it its name, so a kill never leaves one
// without run.json. That file says how much of the others belongs to the run (Run.FileLengths).
// What a kill left beyond that, half a line or samples of a repetition that wasn't judged, isn't
// part of the run.
type Directory struct {
	path string

	mu      sync.Mutex
	current string // path, or a hidden name before the first WriteRun
	samples *results.SampleWriter
	encoded bytes.Buffer             // what samples wrote, until it is appended to a file
	files   map[string]*appendedFile // closed by Close
	spare   *os.File                 // reserves space for the last run.json, in case the disk is full; or nil
	failed  error                    // why nothing more can be appended, or nil
	closed  bool
}

// An appendedFile is a file that grows.
type appendedFile struct {
	*os.File
	size int64 // in bytes, without an incomplete append
}

// A Chunk is appended to one of a run directory's files. It consists of whole lines.
type Chunk struct {
	Name string // such as latency.hlog
	Data []byte

	partial string // take what this file has beyond skip bytes, instead of Data; see Partial
	skip    int64
}

// Create makes the directory parent/<started, UTC>-<scenario>-<id>, and parent if it is missing. id
// distinguishes runs that start in the same second. If the directory can't be made, Create returns
// an [*results.InputError] and leaves nothing behind.
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
		d := &Directory{
			path: filepath.Join(parent, name), current: filepath.Join(parent, "."+name+".tmp"),
			files: make(map[string]*appendedFile),
		}
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
		err = errors.Join(err, removeMade(made[i]))
	}
	return nil, &results.InputError{
		Path: parent, Problem: "no run directory can be made in it (" + results.WithoutPath(err) + ")",
		Want: "name a directory that can be written", Err: err,
	}
}

// removeMade removes a directory that was just made. It returns nil if the directory is gone.
func removeMade(dir string) error {
	if err := os.Remove(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// mkdirTracked makes the missing directories of path, as [os.MkdirAll] does, and returns them,
// outermost first.
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
		case !errors.Is(err, os.ErrExist): // if it exists, another run has made it meanwhile
			return made, err
		}
	}
	return made, nil
}

// Path returns the directory's path: Create's parent as it was given, and the name in it. The
// directory exists from the first WriteRun on.
func (d *Directory) Path() string { return d.path }

// ProfilesDir returns the path of the directory for profiles. It exists from the first WriteRun on.
func (d *Directory) ProfilesDir() string { return filepath.Join(d.path, ProfilesName) }

// WriteRun replaces run.json atomically. It must be called before AppendRepetition, so that a
// directory always says what it holds. If the run is over, WriteRun succeeds even on a full disk:
// Create reserved space for that.
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
		d.samples.SetPackage(run.Client.Package)
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

// AppendPartial appends what a running repetition has measured so far to the files of partial
// repetitions. It makes the files, even if there is nothing to append. It doesn't wait until the data
// is on the disk: a power failure may lose it, but the end of the process doesn't.
func (d *Directory) AppendPartial(chunks ...Chunk) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range chunks {
		var err error
		f := d.files[c.Name]
		if f == nil {
			f, err = d.open(c.Name)
		}
		if err == nil && len(c.Data) > 0 {
			_, err = f.Write(c.Data)
		}
		if err != nil {
			return fmt.Errorf("append to the run directory: %w", err)
		}
		f.size += int64(len(c.Data))
	}
	return nil
}

// Partial returns a chunk that appends to the file of the given name what AppendPartial has appended
// to the file partial, without its first skip bytes.
func Partial(name, partial string, skip int) Chunk {
	return Chunk{Name: name, partial: partial, skip: int64(skip)}
}

// DiscardPartial removes the files of the partial repetition.
func (d *Directory) DiscardPartial() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, name := range []string{PartialLatencyFile, PartialTimelineFile} {
		if f := d.files[name]; f != nil {
			errs = append(errs, f.Close(), os.Remove(f.Name()))
			delete(d.files, name)
		}
	}
	return errors.Join(errs...)
}

// AppendRepetition appends what one repetition measured: a line for each record to samples.txt, and
// each chunk to its file. All of it is on the disk when AppendRepetition returns, and becomes part
// of the run with the next WriteRun. After an error every file is as it was before, and nothing
// more can be appended.
func (d *Directory) AppendRepetition(records []results.Record, chunks ...Chunk) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.samples == nil {
		return fmt.Errorf("append to %s: run.json with the machine's GOMAXPROCS must be written first",
			filepath.Join(d.current, SamplesFile))
	}
	if d.failed != nil {
		return d.failed
	}
	d.encoded.Reset()
	if err := d.samples.Write(records...); err != nil {
		return err
	}
	chunks = append([]Chunk{{Name: SamplesFile, Data: d.encoded.Bytes()}}, chunks...)
	type grown struct {
		*appendedFile
		by int64
	}
	var touched []grown
	for _, c := range chunks {
		from, size := d.content(c)
		if size == 0 {
			continue
		}
		f, err := d.open(c.Name)
		if err == nil {
			touched = append(touched, grown{f, size})
			if _, err = io.Copy(f, from); err == nil {
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
	for _, f := range touched {
		f.size += f.by
	}
	return nil
}

// content returns what a chunk appends, and its length. The caller holds d.mu.
func (d *Directory) content(c Chunk) (io.Reader, int64) {
	if c.partial == "" {
		return bytes.NewReader(c.Data), int64(len(c.Data))
	}
	f := d.files[c.partial]
	if f == nil || f.size <= c.skip {
		return nil, 0
	}
	return io.NewSectionReader(f, c.skip, f.size-c.skip), f.size - c.skip
}

// open returns a file for appending, and creates it if it is missing.
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
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o666)
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

// Close flushes and closes the files, and leaves the directory as it is. A second call does
// nothing.
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

// Discard closes the directory and removes it. It is for a run that didn't begin.
func (d *Directory) Discard() error {
	return errors.Join(d.Close(), os.RemoveAll(d.current))
}
