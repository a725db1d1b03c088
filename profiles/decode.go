package profiles

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of the messages Profile and Sample in pprof's profile.proto.
const (
	fieldSample     = 2
	fieldLocationID = 1
	fieldValue      = 2
)

// loadSamples reads the samples of a profile, gzipped or not. Its errors are those of [Load].
func loadSamples(path string) (*Samples, error) {
	data, err := read(path)
	if err != nil {
		return nil, err
	}
	if data, err = unpacked(data, MaxSize); err != nil {
		return nil, inFile(path, err)
	}
	s, err := decodeSet(data)
	return s, inFile(path, err)
}

// decodeSet parses an uncompressed profile. Its errors are [*FileError] without a path.
func decodeSet(data []byte) (*Samples, error) {
	about, samples, numbers, err := divide(data)
	if err != nil {
		return nil, &FileError{Problem: NotProfile, Err: err}
	}
	p, err := parse(about)
	if err != nil {
		return nil, err
	}
	s := &Samples{
		Header: p, Locations: p.Location, Operations: Operations(p),
		frames: make([]uint32, 0, numbers), ends: make([]int, 0, samples),
		values: make([]int64, 0, min(numbers, samples*len(p.SampleType))),
	}
	if err := s.decodeSamples(data); err != nil {
		return nil, &FileError{Problem: NotProfile, Err: err}
	}
	return s, nil
}

// divide splits an encoded profile. about holds the fields that aren't samples, samples is the
// number of samples, and numbers is how many frames and values they have together.
func divide(data []byte) (about []byte, samples, numbers int, err error) {
	err = fields(data, func(number protowire.Number, wire protowire.Type, field, content []byte) error {
		if number != fieldSample || wire != protowire.BytesType {
			about = append(about, field...)
			return nil
		}
		samples++
		for _, b := range content { // the last byte of a varint is below 0x80
			if b < 0x80 {
				numbers++
			}
		}
		return nil
	})
	return about, samples, numbers, err
}

// fields calls do for each field of a message. field is the whole encoded field, content its value
// without tag and length.
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

func (s *Samples) decodeSamples(data []byte) error {
	at := make(map[uint64]uint32)               // index of a location by its ID
	dense := make([]uint32, len(s.Locations)+1) // the same plus 1, for IDs from 1 to n, which writers usually assign
	for i, l := range s.Locations {
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
		if got := len(s.values) - before; got != s.Columns() {
			return fmt.Errorf("a sample has %d values, want %d", got, s.Columns())
		}
		s.ends = append(s.ends, len(s.frames))
		return nil
	})
}

// decodeSample calls frame with each location ID of a Sample message, and value with each value. It
// skips the labels.
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
