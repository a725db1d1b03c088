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
	"os"
	"slices"

	"github.com/google/pprof/profile"
)

// maxProfile is the largest profile that is read, in bytes, packed and unpacked. A profile of ours
// is some hundred KiB; the bound is against a file that unpacks without end.
const maxProfile = 256 << 20

// FileError says what is wrong with a profile, or with a directory that should hold
// some, in one line.
type FileError struct {
	Path    string
	Problem Problem
	Err     error  // the particulars, or nil
	Advice  string // what to do; empty: what the problem advises
}

// Problem is what a caller may decide on.
type Problem string

// What can be wrong with a file.
const (
	Missing      Problem = "missing"                                  // there is nothing at that path
	Unreadable   Problem = "cannot be read"                           // permissions, a directory, a failing disk
	Empty        Problem = "empty"                                    // no bytes
	Cut          Problem = "cut short"                                // ends before it should
	Damaged      Problem = "damaged"                                  // its checksum or packing is wrong
	TooLarge     Problem = "too large"                                // more than 256 MiB, packed or unpacked
	NotProfile   Problem = "not a pprof profile"                      // something else
	OtherKind    Problem = "of another kind than the others"          // cannot be merged with them
	NotOfKind    Problem = "of another kind than asked for"           // such as a CPU profile where heap was asked for
	NoProfiles   Problem = "holds no profiles"                        // a directory without any
	NoSamples    Problem = "holds no samples"                         // nothing was under way, or for too short a time
	Unsymbolized Problem = "is not symbolized"                        // addresses, where functions should be
	NoOperations Problem = "doesn't say of how many operations it is" // so that two can't be held against each other
	OfAMoment    Problem = "is of a moment, not of operations"        // what is live can't be divided by what was done
	NoSuchNumber Problem = "holds no such number"                     // of those that a kind counts
	NoSuchKind   Problem = "holds no profiles of the kind"            // a directory with others
)

// Error is the path, the problem, its particulars and what to do. What a file says of itself is quoted where it
// can't be printed as it is.
func (e *FileError) Error() string {
	text := fmt.Sprintf("profile %s: %s", Printable(e.Path), e.Problem)
	if e.Err != nil {
		text += " (" + Printable(e.Err.Error()) + ")"
	}
	return text + ": " + cmp.Or(e.Advice, e.Problem.advice())
}

// Unwrap is the cause, such as [fs.ErrNotExist].
func (e *FileError) Unwrap() error { return e.Err }

func (p Problem) advice() string {
	switch p {
	case Missing, NotProfile:
		return "name a run directory or a .pb.gz file"
	case Unreadable:
		return "name a profile that this user may read"
	case TooLarge:
		return fmt.Sprintf("want at most %d MiB", maxProfile>>20)
	case OtherKind:
		return "name files of one kind"
	case NotOfKind:
		return "name one of that kind, or leave --kind out"
	case NoProfiles:
		return "run the scenario with profiles on"
	case NoSuchNumber, NoSuchKind:
		return "ask for one that it has"
	case NoSamples:
		return "profile for longer, or under load"
	case Unsymbolized:
		return "capture it from a Go program, whose profiles hold their functions' names"
	case OfAMoment:
		return "--raw takes what was live as it is, --normalize compares shares"
	case NoOperations:
		return "--raw holds profiles of the same length against each other as they are, " +
			"--normalize compares shares of any two"
	default: // Empty, Cut, Damaged
		return "capture it again"
	}
}

// problem carries a Problem up to where the path is known.
type problem struct {
	Problem
	err error
}

func (p *problem) Error() string {
	if p.err == nil {
		return string(p.Problem)
	}
	return fmt.Sprintf("%s (%v)", p.Problem, p.err)
}

func (p *problem) Unwrap() error { return p.err }

// Load reads a profile, gzipped or not, and checks that it is one. Every error is a
// [*FileError]. It reads at most 256 MiB.
func Load(path string) (*profile.Profile, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	p, err := decode(data, maxProfile)
	if err != nil {
		return nil, fileError(path, err)
	}
	return p, nil
}

// fileError names the file that an error of decode is about.
func fileError(path string, err error) error {
	var what *problem
	if errors.As(err, &what) {
		return &FileError{Path: path, Problem: what.Problem, Err: what.err}
	}
	return &FileError{Path: path, Problem: NotProfile, Err: err}
}

// checkSymbols refuses a profile most of whose value lies in functions without a name: what is drawn of
// it would be addresses.
func checkSymbols(p *profile.Profile) error {
	var named, nameless int64
	for _, s := range p.Sample {
		if len(s.Location) == 0 {
			continue
		}
		leaf := s.Location[0]
		if len(leaf.Line) > 0 && leaf.Line[0].Function != nil && leaf.Line[0].Function.Name != "" {
			named, _ = addSaturated(named, abs(s.Value[0]))
		} else {
			nameless, _ = addSaturated(nameless, abs(s.Value[0]))
		}
	}
	return mostlyNamed(named, nameless)
}

func mostlyNamed(named, nameless int64) error {
	if nameless > named {
		all, _ := addSaturated(named, nameless)
		return fmt.Errorf("%d of %d samples are in functions without a name", nameless, all)
	}
	return nil
}

// checkDrawn refuses a file of which a picture, or a difference, would say nothing. One without samples is
// honest where a repetition allocated nothing, or waited for nobody; a processor's that has none wasn't
// profiled.
func checkDrawn(path string, p *profile.Profile) error {
	return checkDrawing(path, p, len(p.Sample), func() error { return checkSymbols(p) })
}

func checkDrawing(path string, p *profile.Profile, samples int, symbols func() error) error {
	if samples == 0 && slices.ContainsFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == "cpu" }) {
		return &FileError{Path: path, Problem: NoSamples}
	}
	if err := symbols(); err != nil {
		return &FileError{Path: path, Problem: Unsymbolized, Err: err}
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
	data, err := readAll(f, size, maxProfile)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, &FileError{Path: path, Problem: Unreadable, Err: bare(err)}
	}
	return data, nil
}

// readAll reads up to limit bytes and one more, of which there are about so many.
func readAll(r io.Reader, about, limit int64) ([]byte, error) {
	var b bytes.Buffer
	b.Grow(int(min(max(0, about), limit)) + bytes.MinRead)
	_, err := b.ReadFrom(io.LimitReader(r, limit+1))
	return b.Bytes(), err
}

func openError(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		// The particulars would repeat the path and the problem.
		return &FileError{Path: path, Problem: Missing, Err: fs.ErrNotExist}
	}
	return &FileError{Path: path, Problem: Unreadable, Err: bare(err)}
}

// bare drops the path that the message holds already.
func bare(err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		return pathErr.Err
	}
	return err
}

// decode parses a profile of at most limit bytes. Its errors are [*problem].
func decode(data []byte, limit int) (*profile.Profile, error) {
	data, err := unpacked(data, limit)
	if err != nil {
		return nil, err
	}
	return parse(data)
}

// parse reads an unpacked profile, and checks that it is one.
func parse(data []byte) (*profile.Profile, error) {
	p, err := profile.ParseUncompressed(data)
	if err != nil {
		return nil, &problem{NotProfile, err}
	}
	if len(p.SampleType) == 0 {
		return nil, &problem{NotProfile, errors.New("it has no sample types")}
	}
	if err := p.CheckValid(); err != nil {
		return nil, &problem{NotProfile, err}
	}
	return p, nil
}

// unpacked returns the profile of a file of at most limit bytes. Its errors are [*problem].
func unpacked(data []byte, limit int) ([]byte, error) {
	if len(data) == 0 {
		return nil, &problem{Empty, nil}
	}
	if len(data) > limit {
		return nil, &problem{TooLarge, nil}
	}
	// 0x1f opens gzip (RFC 1952 §2.3.1) and can't open a protobuf message.
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
	// The last four bytes say how many there are (RFC 1952 §2.3.1), which deflate makes at most 1032 times fewer.
	about := min(int64(binary.LittleEndian.Uint32(data[len(data)-4:])), 1032*int64(len(data)))
	out, err := readAll(zr, about, int64(limit))
	switch {
	case err != nil:
		return nil, unpackProblem(err)
	case len(out) > limit:
		return nil, &problem{TooLarge, nil}
	case len(out) == 0:
		return nil, &problem{Empty, nil}
	}
	return out, nil
}

func unpackProblem(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &problem{Cut, err}
	}
	return &problem{Damaged, err}
}
