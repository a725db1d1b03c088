package profiles

import (
	"math"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/fleetmark/fleetmark/profiles/internal/stack"
)

// Samples holds the samples of one or more profiles in four bytes a frame. Package profile needs
// about 60 bytes a frame, which is more than a gigabyte for half a million stacks.
type Samples struct {
	Header    *profile.Profile    // everything in the files except samples
	Locations []*profile.Location // the locations of all stacks

	Column     int   // index in Header.SampleType of what Value returns
	Operations int64 // how many the profiles cover, or 0 if unknown
	Saturated  bool  // a sum exceeded 64 bits and was replaced by the largest integer

	frames  []uint32 // indices of Locations, of one sample after the other, leaf first
	ends    []int    // for each sample, where it ends in frames
	values  []int64  // for each sample, a value of each column
	baseLen int      // how many samples at the end belong to the base of a comparison
}

// Len returns the number of samples.
func (s *Samples) Len() int { return len(s.ends) }

// Frames returns the number of frames of all stacks.
func (s *Samples) Frames() int { return len(s.frames) }

// Columns returns the number of values of a sample.
func (s *Samples) Columns() int { return len(s.Header.SampleType) }

// Type returns the sample type of Column.
func (s *Samples) Type() *profile.ValueType { return s.Header.SampleType[s.Column] }

// TypeNames returns the sample types, such as cpu/nanoseconds.
func (s *Samples) TypeNames() []string { return typeNames(s.Header) }

// Stack returns the locations of a sample, leaf first, as indices of Locations.
func (s *Samples) Stack(sample int) []uint32 {
	if sample == 0 {
		return s.frames[:s.ends[0]]
	}
	return s.frames[s.ends[sample-1]:s.ends[sample]]
}

// Value returns the value of a sample in Column.
func (s *Samples) Value(sample int) int64 { return s.values[sample*s.Columns()+s.Column] }

// HasBase reports whether [Samples.AppendBase] added any samples.
func (s *Samples) HasBase() bool { return s.baseLen > 0 }

// IsBase reports whether a sample belongs to the base.
func (s *Samples) IsBase(sample int) bool { return sample >= s.Len()-s.baseLen }

// append adds the samples of o, which must have the same sample types, and sets the comments of s.
func (s *Samples) append(o *Samples, comments []string) {
	locations, frames := uint32(len(s.Locations)), len(s.frames)
	s.frames = slices.Grow(s.frames, len(o.frames))
	for _, f := range o.frames {
		s.frames = append(s.frames, f+locations)
	}
	s.ends = slices.Grow(s.ends, len(o.ends))
	for _, e := range o.ends {
		s.ends = append(s.ends, e+frames)
	}
	s.values = append(s.values, o.values...)
	s.Locations = append(s.Locations, o.Locations...)

	about := s.Header
	about.Comments = comments
	if about.TimeNanos == 0 || o.Header.TimeNanos != 0 && o.Header.TimeNanos < about.TimeNanos {
		about.TimeNanos = o.Header.TimeNanos
	}
	about.DurationNanos, _ = stack.AddSaturated(about.DurationNanos, o.Header.DurationNanos)
	s.Operations, _ = stack.AddSaturated(s.Operations, o.Operations)
	s.Saturated = s.Saturated || o.Saturated
}

// DropFrames removes the frames that the profile itself asks to hide, as pprof does: functions that
// match its DropFrames expression. The expression is that of the first profile, at path. The error
// is a [*FileError].
func (s *Samples) DropFrames(path string) error {
	if s.Header.DropFrames == "" {
		return nil
	}
	// Package profile implements the rules. It is asked about one location at a time, in a stack
	// below a frame that stays.
	stays := &profile.Location{ID: uint64(len(s.Locations) + 1)}
	asked := &profile.Profile{DropFrames: s.Header.DropFrames, KeepFrames: s.Header.KeepFrames, Location: s.Locations}
	lines := make([]int, len(s.Locations))
	for i, l := range s.Locations {
		l.ID, lines[i] = uint64(i+1), len(l.Line)
		asked.Sample = append(asked.Sample, &profile.Sample{Location: []*profile.Location{l, stays}})
	}
	if err := asked.RemoveUninteresting(); err != nil {
		return &FileError{Path: path, Problem: NotProfile, Err: err}
	}
	dropped := func(i uint32) bool { return len(asked.Sample[i].Location) == 1 }
	cut := func(i uint32) bool { return len(s.Locations[i].Line) < lines[i] }
	kept, ends := s.frames[:0], slices.Clone(s.ends)
	for sample := range ends {
		locations := s.Stack(sample)
		seen := false // whether the stack has a frame that stays
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

// Negate changes the sign of all values.
func (s *Samples) Negate() {
	for i, v := range s.values {
		s.values[i] = -max(v, -math.MaxInt64)
	}
}

// Scale multiplies the values of each column by its ratio.
func (s *Samples) Scale(ratios []float64) {
	for i, v := range s.values {
		ratio := ratios[i%len(ratios)]
		if ratio == 1 {
			continue
		}
		switch scaled := math.Round(float64(v) * ratio); {
		case scaled >= math.MaxInt64:
			s.values[i], s.Saturated = math.MaxInt64, true
		case scaled <= -math.MaxInt64:
			s.values[i], s.Saturated = -math.MaxInt64, true
		default:
			s.values[i] = int64(scaled)
		}
	}
}

// Sums returns the sum of each column.
func (s *Samples) Sums() []float64 {
	sums := make([]float64, s.Columns())
	for i, v := range s.values {
		sums[i%len(sums)] += float64(v)
	}
	return sums
}

// AppendBase adds the samples of the base that s is compared with, and those comments of the base
// that s lacks. Numbers in comments, such as operations, aren't added up.
func (s *Samples) AppendBase(b *Samples) {
	comments := slices.Clone(s.Header.Comments)
	for _, c := range b.Header.Comments {
		if !slices.Contains(comments, c) {
			comments = append(comments, c)
		}
	}
	s.append(b, comments)
	s.baseLen = b.Len()
}
