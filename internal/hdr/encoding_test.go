package hdr

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
)

// TestEncoding checks that an encoding is one that hdrhistogram-go reads, and that decoding it
// gives the same counts.
func TestEncoding(t *testing.T) {
	const highest = 5 * time.Minute
	rng, w := rand.New(rand.NewPCG(7, 8)), NewEncoder()
	for _, n := range []int{0, 1, 30, 3000} {
		h := New(highest)
		for _, d := range randomTimes(rng, highest, n) {
			h.Record(d)
		}
		encoded := bytes.Clone(w.Encode(h))
		other, err := hdrhistogram.Decode(base64.StdEncoding.AppendEncode(nil, encoded))
		require.NoError(t, err)
		requireEqual(t, other, h)
		got, err := Decode(encoded, highest)
		require.NoError(t, err)
		require.Equal(t, h, got)

		sum := New(highest)
		var d Decoder
		times, err := d.Count(encoded, highest)
		require.NoError(t, err)
		require.Equal(t, h.TotalCount(), times)
		for range 3 {
			require.NoError(t, d.AddTo(sum, encoded))
		}
		require.Equal(t, 3*h.TotalCount(), sum.TotalCount())
		for c := range h.All {
			require.EqualValues(t, 3*c.N, sum.counts[index(c.Lowest)])
		}
	}
}

// encodeRaw returns the encoding of what follows the header of a histogram of times up to highest.
// change may change the uncompressed part before.
func encodeRaw(highest time.Duration, counts []byte, change func(p []byte) []byte) []byte {
	p := make([]byte, headerLength)
	binary.BigEndian.PutUint32(p, plainCookie)
	binary.BigEndian.PutUint32(p[4:], uint32(len(counts)))
	binary.BigEndian.PutUint32(p[12:], digits)
	binary.BigEndian.PutUint64(p[16:], unit)
	binary.BigEndian.PutUint64(p[24:], uint64(highest))
	binary.BigEndian.PutUint64(p[32:], math.Float64bits(1))
	p = append(p, counts...)
	if change != nil {
		p = change(p)
	}
	var b bytes.Buffer
	b.Write(make([]byte, frameLength))
	z := zlib.NewWriter(&b)
	_, _ = z.Write(p) // a bytes.Buffer takes everything
	_ = z.Close()
	out := b.Bytes()
	binary.BigEndian.PutUint32(out, compressedCookie)
	binary.BigEndian.PutUint32(out[4:], uint32(len(out)-frameLength))
	return out
}

// TestDecoder_mistakes checks that what isn't the encoding of a like histogram adds nothing, and
// what is said about it.
func TestDecoder_mistakes(t *testing.T) {
	const highest = time.Second
	good := encodeRaw(highest, []byte{2, 4}, nil)
	put := func(at int, v uint32) func([]byte) []byte {
		return func(p []byte) []byte { binary.BigEndian.PutUint32(p[at:], v); return p }
	}
	numbers := func(list ...int64) (b []byte) {
		for _, v := range list {
			b = appendZigZag(b, v)
		}
		return b
	}
	last := int64(index(int64(highest)))
	for name, row := range map[string]struct {
		encoded []byte
		says    string // empty: there is no mistake
	}{
		"good":                   {good, ""},
		"the last count":         {encodeRaw(highest, numbers(-last, 7), nil), ""},
		"nothing":                {nil, "the histogram is cut short"},
		"cut short":              {good[:len(good)-1], "the histogram is cut short"},
		"another cookie":         {append([]byte("abcd"), good[4:]...), "the histogram has another encoding than V2"},
		"no zlib":                {append(bytes.Clone(good[:8]), make([]byte, len(good)-8)...), "the histogram can't be decompressed: zlib: invalid header"},
		"another cookie within":  {encodeRaw(highest, nil, put(0, 1)), "the histogram has another encoding than V2"},
		"other digits":           {encodeRaw(highest, nil, put(12, 2)), "the histogram divides times otherwise"},
		"another range":          {encodeRaw(2*highest, nil, nil), "the histogram is of times up to 2s, not 1s"},
		"a wrong length":         {encodeRaw(highest, []byte{2}, put(4, 9)), "the histogram is cut short"},
		"only half a header":     {encodeRaw(highest, nil, func(p []byte) []byte { return p[:20] }), "the histogram is cut short"},
		"half a number":          {encodeRaw(highest, []byte{0x80}, nil), "the histogram is cut short"},
		"beyond the last count":  {encodeRaw(highest, numbers(-last-1, 7), nil), "the histogram has a count that is out of its range"},
		"too many zeros":         {encodeRaw(highest, numbers(-last-2), nil), "the histogram has a count that is out of its range"},
		"endless zeros":          {encodeRaw(highest, numbers(math.MinInt64), nil), "the histogram has a count that is out of its range"},
		"more than an int64":     {encodeRaw(highest, numbers(math.MaxInt64, 1), nil), "the histogram has a count that is out of its range"},
		"more than with the sum": {encodeRaw(highest, numbers(math.MaxInt64), nil), "the histogram has a count that is out of its range"},
		"a bomb":                 {encodeRaw(highest, make([]byte, 10<<20), nil), "the histogram is followed by something else"},
		"too long":               {make([]byte, 1<<20), "the histogram has 1048576 bytes, more than one of times up to 1s needs"},
	} {
		t.Run(name, func(t *testing.T) {
			h := New(highest)
			h.Record(time.Millisecond)
			before := New(highest)
			before.Merge(h)
			err := new(Decoder).AddTo(h, row.encoded)
			if row.says == "" {
				require.NoError(t, err)
				require.Greater(t, h.TotalCount(), int64(1))
				return
			}
			require.EqualError(t, err, row.says)
			require.Equal(t, before, h, "nothing is added")
			if name != "more than with the sum" {
				_, err = new(Decoder).Count(row.encoded, highest)
				require.EqualError(t, err, row.says)
			}
		})
	}
}

// TestDecoder_Count checks that counting the times of an encoding doesn't make a histogram of them,
// whose counts would take 120 KiB.
func TestDecoder_Count(t *testing.T) {
	const highest = 5 * time.Minute
	h, d := New(highest), new(Decoder)
	for i := range 1000 {
		h.Record(time.Duration(i) * time.Millisecond)
	}
	encoded := NewEncoder().Encode(h)
	result := testing.Benchmark(func(b *testing.B) {
		for range b.N {
			n, err := d.Count(encoded, highest)
			require.NoError(t, err)
			require.EqualValues(t, 1000, n)
		}
	})
	require.Less(t, result.AllocedBytesPerOp(), int64(16<<10))
}

// FuzzDecoder checks that no bytes make a Decoder panic, and that what it takes is the encoding of
// counts that add up.
func FuzzDecoder(f *testing.F) {
	const highest = 100 * time.Second
	h := New(highest)
	for i := range 50 {
		h.Record(time.Duration(i*i) * time.Millisecond)
	}
	f.Add(bytes.Clone(NewEncoder().Encode(h)), []byte{})
	f.Add([]byte{}, []byte{1, 2, 3})
	f.Add([]byte{}, appendZigZag(appendZigZag(nil, -5), math.MaxInt64))
	f.Fuzz(func(t *testing.T, encoded, counts []byte) {
		if len(encoded) == 0 {
			encoded = encodeRaw(highest, counts, nil)
		}
		got, err := Decode(encoded, highest)
		if err != nil {
			return
		}
		var sum int64
		for c := range got.All {
			require.Positive(t, c.N)
			sum += c.N
		}
		require.Equal(t, sum, got.TotalCount())
		again, err := Decode(NewEncoder().Encode(got), highest)
		require.NoError(t, err)
		require.Equal(t, sum, again.TotalCount())
	})
}
