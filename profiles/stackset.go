package profiles

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/google/pprof/profile"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// A stackSet holds the samples of one or more profiles in four bytes a frame. Package profile
// takes about fifteen times that, which for half a million stacks is more than a gigabyte.
type stackSet struct {
	about     *profile.Profile // what the files say beside their samples
	locations []*profile.Location

	frames []uint32 // of all samples, leaf first: indices of locations
	ends   []int    // where in frames each sample ends
	values []int64  // of all samples, a column each per sample

	column     int   // the one to show
	ofBase     int   // how many samples, the last ones, are of the base that is compared with
	operations int64 // 0: not known
	saturated  bool  // a value was too large for 64 bits
}

func (s *stackSet) columns() int { return len(s.about.SampleType) }
func (s *stackSet) samples() int { return len(s.ends) }

// stack returns the frames of a sample, leaf first.
func (s *stackSet) stack(sample int) []uint32 {
	if sample == 0 {
		return s.frames[:s.ends[0]]
	}
	return s.frames[s.ends[sample-1]:s.ends[sample]]
}

func (s *stackSet) value(sample int) int64 { return s.values[sample*s.columns()+s.column] }

// isBase reports whether a sample is of the base.
func (s *stackSet) isBase(sample int) bool { return sample >= s.samples()-s.ofBase }

// Fields of a profile's and of a sample's message (profile.proto of pprof).
const (
	fieldSample     = 2
	fieldLocationID = 1
	fieldValue      = 2
)

// loadStacks reads the samples of a profile, gzipped or not. Its errors are those of [Load].
func loadStacks(path string) (*stackSet, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	if data, err = unpacked(data, MaxSize); err != nil {
		return nil, inFile(path, err)
	}
	s, err := decodeStacks(data)
	return s, inFile(path, err)
}

// decodeStacks parses an unpacked profile. Its errors are [*FileError] without a path.
func decodeStacks(data []byte) (*stackSet, error) {
	about, samples, numbers, err := divide(data)
	if err != nil {
		return nil, &FileError{Problem: NotProfile, Err: err}
	}
	p, err := parse(about)
	if err != nil {
		return nil, err
	}
	s := &stackSet{
		about: p, locations: p.Location, operations: Operations(p), frames: make([]uint32, 0, numbers), ends: make([]int, 0, samples),
		values: make([]int64, 0, min(numbers, samples*len(p.SampleType))),
	}
	if err := s.decodeSamples(data); err != nil {
		return nil, &FileError{Problem: NotProfile, Err: err}
	}
	return s, nil
}

// divide returns the fields of a profile that aren't samples, how many samples there are, and how many
// numbers are in them, frames and values.
func divide(data []byte) (about []byte, samples, numbers int, err error) {
	err = fields(data, func(number protowire.Number, wire protowire.Type, field, content []byte) error {
		if number != fieldSample || wire != protowire.BytesType {
			about = append(about, field...)
			return nil
		}
		samples++
		for _, b := range content { // each number ends in a byte below 0x80
			if b < 0x80 {
				numbers++
			}
		}
		return nil
	})
	return about, samples, numbers, err
}

// fields calls do with each field of a message: all of it, and what is in it.
func fields(data []byte, do func(number protowire.Number, wire protowire.Type, field, content []byte) error) error {
	for len(data) > 0 {
		number, wire, tag := protowire.ConsumeTag(data)
		if tag < 0 {
			return protowire.ParseError(tag)
		}
		n := protowire.ConsumeFieldValue(number, wire, data[tag:])
		if n < 0 {
			return protowire.ParseError(n)
		}
		content := data[tag : tag+n]
		if wire == protowire.BytesType {
			content, _ = protowire.ConsumeBytes(content)
		}
		if err := do(number, wire, data[:tag+n], content); err != nil {
			return err
		}
		data = data[tag+n:]
	}
	return nil
}

func (s *stackSet) decodeSamples(data []byte) error {
	at := make(map[uint64]uint32)               // where a location is, by its number
	dense := make([]uint32, len(s.locations)+1) // the same, plus 1, of the numbers that writers usually give
	for i, l := range s.locations {
		if l.ID < uint64(len(dense)) {
			dense[l.ID] = uint32(i) + 1
		} else {
			at[l.ID] = uint32(i) + 1
		}
	}
	frame := func(id uint64) error {
		i := uint32(0)
		if id < uint64(len(dense)) {
			i = dense[id]
		} else {
			i = at[id]
		}
		if i == 0 {
			return fmt.Errorf("a sample is at location %d, which isn't there", id)
		}
		s.frames = append(s.frames, i-1)
		return nil
	}
	value := func(v uint64) error {
		s.values = append(s.values, int64(v))
		return nil
	}
	return fields(data, func(number protowire.Number, wire protowire.Type, _, sample []byte) error {
		if number != fieldSample || wire != protowire.BytesType {
			return nil
		}
		before := len(s.values)
		if err := decodeSample(sample, frame, value); err != nil {
			return err
		}
		if got := len(s.values) - before; got != s.columns() {
			return fmt.Errorf("a sample has %d values, want %d", got, s.columns())
		}
		s.ends = append(s.ends, len(s.frames))
		return nil
	})
}

// decodeSample calls frame and value with the numbers of a sample's message. It skips the labels.
func decodeSample(data []byte, frame, value func(uint64) error) error {
	return fields(data, func(number protowire.Number, wire protowire.Type, _, content []byte) error {
		do := frame
		switch number {
		case fieldLocationID:
		case fieldValue:
			do = value
		default:
			return nil
		}
		if wire != protowire.VarintType && wire != protowire.BytesType {
			return errors.New("a sample's numbers are of a wrong type")
		}
		for len(content) > 0 {
			v, n := protowire.ConsumeVarint(content)
			if n < 0 {
				return protowire.ParseError(n)
			}
			if err := do(v); err != nil {
				return err
			}
			content = content[n:]
		}
		return nil
	})
}

// append adds the samples of o, which counts the same, with the comments that are given.
func (s *stackSet) append(o *stackSet, comments []string) {
	locations, frames := uint32(len(s.locations)), len(s.frames)
	s.frames = slices.Grow(s.frames, len(o.frames))
	for _, f := range o.frames {
		s.frames = append(s.frames, f+locations)
	}
	s.ends = slices.Grow(s.ends, len(o.ends))
	for _, e := range o.ends {
		s.ends = append(s.ends, e+frames)
	}
	s.values = append(s.values, o.values...)
	s.locations = append(s.locations, o.locations...)

	about := s.about
	about.Comments = comments
	if about.TimeNanos == 0 || o.about.TimeNanos != 0 && o.about.TimeNanos < about.TimeNanos {
		about.TimeNanos = o.about.TimeNanos
	}
	about.DurationNanos, _ = stack.AddSaturated(about.DurationNanos, o.about.DurationNanos)
	s.operations, _ = stack.AddSaturated(s.operations, o.operations)
	s.saturated = s.saturated || o.saturated
}

// dropFrames removes the frames that the first profile, at path, asks not to be shown, as pprof does.
func (s *stackSet) dropFrames(path string) error {
	if s.about.DropFrames == "" {
		return nil
	}
	// Package profile knows which: it is asked about each location below one that stays.
	stays := &profile.Location{ID: uint64(len(s.locations) + 1)}
	asked := &profile.Profile{DropFrames: s.about.DropFrames, KeepFrames: s.about.KeepFrames, Location: s.locations}
	lines := make([]int, len(s.locations))
	for i, l := range s.locations {
		l.ID, lines[i] = uint64(i+1), len(l.Line)
		asked.Sample = append(asked.Sample, &profile.Sample{Location: []*profile.Location{l, stays}})
	}
	if err := asked.RemoveUninteresting(); err != nil {
		return &FileError{Path: path, Problem: NotProfile, Err: err}
	}
	dropped := func(i uint32) bool { return len(asked.Sample[i].Location) == 1 }
	cut := func(i uint32) bool { return len(s.locations[i].Line) < lines[i] }
	kept, ends := s.frames[:0], slices.Clone(s.ends)
	for sample := range ends {
		locations := s.stack(sample)
		seen := false // a frame that stays: everything isn't dropped
		for i := len(locations) - 1; i >= 0; i-- {
			d, c := dropped(locations[i]), cut(locations[i])
			if !d && !c {
				seen = true
				continue
			}
			if seen {
				if d {
					i++
				}
				locations = locations[i:]
				break
			}
		}
		kept = append(kept, locations...)
		ends[sample] = len(kept)
	}
	s.frames, s.ends = kept, ends
	return nil
}

// scale multiplies the values of each column by its ratio.
func (s *stackSet) scale(ratios []float64) {
	for i, v := range s.values {
		ratio := ratios[i%len(ratios)]
		if ratio == 1 {
			continue
		}
		switch scaled := math.Round(float64(v) * ratio); {
		case scaled >= math.MaxInt64:
			s.values[i], s.saturated = math.MaxInt64, true
		case scaled <= -math.MaxInt64:
			s.values[i], s.saturated = -math.MaxInt64, true
		default:
			s.values[i] = int64(scaled)
		}
	}
}

// sums returns the sum of each column.
func (s *stackSet) sums() []float64 {
	sums := make([]float64, s.columns())
	for i, v := range s.values {
		sums[i%len(sums)] += float64(v)
	}
	return sums
}

// checkDrawn refuses a file of which a picture, or a difference, would say nothing: a CPU profile without
// samples, and one whose functions have no names. In the other kinds a file may hold no samples, such as
// where nothing waited.
func (s *stackSet) checkDrawn(path string) error {
	if s.samples() == 0 && column(s.about, "cpu") >= 0 {
		return &FileError{Path: path, Problem: NoSamples}
	}
	err := mostlyNamed(func(yield func(*profile.Location, int64) bool) {
		for i := range s.samples() {
			if at := s.stack(i); len(at) > 0 && !yield(s.locations[at[0]], s.values[i*s.columns()]) {
				return
			}
		}
	})
	if err != nil {
		return &FileError{Path: path, Problem: Unsymbolized, Err: err}
	}
	return nil
}

// eachFile reads files of one kind, which must hold something to draw, and calls do with each.
func eachFile(ctx context.Context, files []string, opts TopOptions, do func(path string, s *stackSet) error) error {
	var first *profile.Profile
	for _, path := range files {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s, err := loadStacks(path)
		if err != nil {
			return err
		}
		if err := checkKind(path, s.about, opts.Kind); err != nil {
			return err
		}
		if first = cmp.Or(first, s.about); !sameTypes(first, s.about) {
			err := fmt.Errorf("it counts %s, they %s", typeNames(s.about), typeNames(first))
			return &FileError{Path: path, Problem: OtherKind, Err: err}
		}
		if err := s.checkDrawn(path); err != nil {
			return err
		}
		if s.column, err = opts.column(s.about); err != nil {
			return &FileError{Path: path, Problem: NoSuchNumber, Err: err}
		}
		if err := do(path, s); err != nil {
			return err
		}
	}
	return nil
}

// gather reads files of one kind into one set. check may refuse one of them.
func gather(
	ctx context.Context, files []string, opts TopOptions, check func(path string, p *profile.Profile) error,
) (sum *stackSet, err error) {
	if len(files) == 0 {
		return nil, errors.New("profile top: no files: name at least one")
	}
	err = eachFile(ctx, files, opts, func(path string, s *stackSet) error {
		if err := check(path, s.about); err != nil {
			return err
		}
		if sum == nil {
			sum = s
		} else {
			sum.append(s, together(sum.about, s.about))
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("profile top: %w", err)
	}
	return sum, err
}
