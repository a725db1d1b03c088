package profiles

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// MaxSize is the largest profile that is read, in bytes, compressed or not. A profile that
// Fleetmark captured has some hundred KiB; the bound is for a compressed file that expands without
// end.
const MaxSize = 256 << 20

// A FileError says in one line what is wrong with a profile, or with a directory that should hold
// some.
type FileError struct {
	Path    string // empty for a profile that isn't in a file
	Problem FileProblem
	Err     error  // the cause in detail, or nil
	Advice  string // what to do; if empty, Error has the usual advice for the problem
}

// A FileProblem is what is wrong with a file, for callers that decide on it.
type FileProblem string

// The problems of a file.
const (
	Missing          FileProblem = "missing"                                    // there is nothing at that path
	Unreadable       FileProblem = "cannot be read"                             // permissions, a directory, a failing disk
	Empty            FileProblem = "empty"                                      // no bytes
	Cut              FileProblem = "cut short"                                  // it ends too early
	Damaged          FileProblem = "damaged"                                    // its checksum or compression is wrong
	TooLarge         FileProblem = "too large"                                  // more than 256 MiB, compressed or not
	NotProfile       FileProblem = "not a pprof profile"                        // some other file
	OtherKind        FileProblem = "of another kind than the others"            // so it can't be merged with them
	NotOfKind        FileProblem = "of another kind than asked for"             // such as cpu instead of heap
	NoProfiles       FileProblem = "holds no profiles"                          // a directory without profiles
	NoSamples        FileProblem = "holds no samples"                           // nothing ran, or too briefly
	Unsymbolized     FileProblem = "is not symbolized"                          // it has addresses instead of function names
	NoOperations     FileProblem = "doesn't say how many operations it covers"  // needed for a cost per operation
	NotPerOperation  FileProblem = "is a snapshot, not a count over operations" // so it has no cost per operation
	NoSuchSampleType FileProblem = "holds no such number"                       // its kind has no sample type of that name
	NoSuchKind       FileProblem = "holds no profiles of the kind"              // a directory that has other kinds
)

// Error returns the path, the problem, the cause and what to do. Without a path, it returns the
// problem and the cause. Characters that can't be printed are quoted.
func (e *FileError) Error() string {
	if e.Path == "" {
		if e.Err == nil {
			return string(e.Problem)
		}
		return fmt.Sprintf("%s (%v)", e.Problem, e.Err)
	}
	text := fmt.Sprintf("profile %s: %s", Printable(e.Path), e.Problem)
	if e.Err != nil {
		text += " (" + Printable(e.Err.Error()) + ")"
	}
	return text + ": " + cmp.Or(e.Advice, e.Problem.advice())
}

// Unwrap returns the cause, such as [fs.ErrNotExist].
func (e *FileError) Unwrap() error { return e.Err }

func (p FileProblem) advice() string {
	advice := map[FileProblem]string{
		Missing:          "name a run directory or a .pb.gz file",
		NotProfile:       "name a run directory or a .pb.gz file",
		Unreadable:       "name a profile that this user may read",
		TooLarge:         fmt.Sprintf("want at most %d MiB", MaxSize>>20),
		OtherKind:        "name files of one kind",
		NotOfKind:        "name one of that kind",
		NoProfiles:       "run the scenario with profiles on",
		NoSuchSampleType: "ask for one that it has",
		NoSuchKind:       "ask for one that it has",
		NoSamples:        "profile for longer, or under load",
		Unsymbolized:     "capture it from a Go program, whose profiles hold their functions' names",
		NotPerOperation:  "subtract it as it is, or compare shares",
		NoOperations:     "capture it with its number of operations, or compare shares",
	}[p]
	return cmp.Or(advice, "capture it again") // for Empty, Cut and Damaged
}

// Load reads a profile of at most [MaxSize] bytes, gzipped or not, and checks it. Every error is a
// [*FileError].
func Load(path string) (*profile.Profile, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	p, err := Decode(data, MaxSize)
	return p, inFile(path, err)
}

// inFile adds the path to an error of [Decode]. It returns nil if err is nil.
func inFile(path string, err error) error {
	if file, ok := errors.AsType[*FileError](err); ok {
		file.Path = path
	}
	return err
}

// CheckSymbols returns an error if most of a profile's value lies in functions without a name,
// since a table or graph of it would show only addresses.
func CheckSymbols(p *profile.Profile) error {
	return mostlyNamed(func(yield func(*profile.Location, int64) bool) {
		for _, s := range p.Sample {
			if len(s.Location) > 0 && !yield(s.Location[0], s.Value[0]) {
				return
			}
		}
	})
}

// mostlyNamed returns an error if most of the value of leaves lies in locations whose function has
// no name. leaves yields the innermost location of each sample with the sample's value.
func mostlyNamed(leaves iter.Seq2[*profile.Location, int64]) error {
	var named, nameless int64
	for leaf, value := range leaves {
		if len(leaf.Line) > 0 && leaf.Line[0].Function != nil && leaf.Line[0].Function.Name != "" {
			named, _ = stack.AddSaturated(named, stack.Abs(value))
		} else {
			nameless, _ = stack.AddSaturated(nameless, stack.Abs(value))
		}
	}
	if nameless > named {
		all, _ := stack.AddSaturated(named, nameless)
		return fmt.Errorf("%d of %d samples are in functions without a name", nameless, all)
	}
	return nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	size := int64(0)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	data, err := readAll(f, size, MaxSize)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, &FileError{Path: path, Problem: Unreadable, Err: bare(err)}
	}
	return data, nil
}

// readAll reads up to limit+1 bytes, so that the caller can tell that there are too many. It first
// allocates room for about bytes.
func readAll(r io.Reader, about, limit int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(max(0, about), limit)) + bytes.MinRead)
	_, err := b.ReadFrom(io.LimitReader(r, limit+1))
	return b.Bytes(), err
}

func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		// The error of os.Open would repeat the path and the problem.
		return &FileError{Path: path, Problem: Missing, Err: fs.ErrNotExist}
	}
	return &FileError{Path: path, Problem: Unreadable, Err: bare(err)}
}

// bare returns the cause of an error whose message begins with a path that the caller's message has
// already.
func bare(err error) error {
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		return path.Err
	}
	return err
}

// Decode parses a profile of at most limit bytes. Its errors are [*FileError] without a path.
func Decode(data []byte, limit int) (*profile.Profile, error) {
	data, err := unpacked(data, limit)
	if err != nil {
		return nil, err
	}
	return parse(data)
}

// parse parses an uncompressed profile and checks it.
func parse(data []byte) (*profile.Profile, error) {
	p, err := profile.ParseUncompressed(data)
	if err != nil {
		return nil, &FileError{Problem: NotProfile, Err: err}
	}
	if len(p.SampleType) == 0 {
		return nil, &FileError{Problem: NotProfile, Err: errors.New("it has no sample types")}
	}
	if err := p.CheckValid(); err != nil {
		return nil, &FileError{Problem: NotProfile, Err: err}
	}
	return p, nil
}

// unpacked returns the uncompressed content of a file, of at most limit bytes. Its errors are
// [*FileError] without a path.
func unpacked(data []byte, limit int) ([]byte, error) {
	if len(data) == 0 {
		return nil, &FileError{Problem: Empty}
	}
	if len(data) > limit {
		return nil, &FileError{Problem: TooLarge}
	}
	// A gzip file begins with 0x1f (RFC 1952 §2.3.1), and no protobuf message does.
	if data[0] == 0x1f {
		return unpack(data, limit)
	}
	return data, nil
}

func unpack(data []byte, limit int) ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, unpackProblem(err)
	}
	// The last four bytes hold the uncompressed size (RFC 1952 §2.3.1). A damaged file may lie, so
	// the size is bounded by deflate's best ratio, 1032.
	about := min(int64(binary.LittleEndian.Uint32(data[len(data)-4:])), 1032*int64(len(data)))
	out, err := readAll(zr, about, int64(limit))
	switch {
	case err != nil:
		return nil, unpackProblem(err)
	case len(out) > limit:
		return nil, &FileError{Problem: TooLarge}
	case len(out) == 0:
		return nil, &FileError{Problem: Empty}
	}
	return out, nil
}

func unpackProblem(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &FileError{Problem: Cut, Err: err}
	}
	return &FileError{Problem: Damaged, Err: err}
}

// Printable returns a name for a terminal. A name with control characters, invisible characters or
// invalid UTF-8 is quoted as a Go string; any other name is returned as it is.
func Printable(name string) string {
	if utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return name
	}
	return strconv.Quote(name)
}
