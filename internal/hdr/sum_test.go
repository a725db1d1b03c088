package hdr

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/internal/testenv"
)

// encodedIn returns the last column of the lines of a log that hold histograms.
func encodedIn(log []byte) (list [][]byte) {
	for line := range bytes.Lines(log) {
		if bytes.HasPrefix(line, []byte("Tag=")) {
			list = append(list, bytes.TrimSpace(line[bytes.LastIndexByte(line, ',')+1:]))
		}
	}
	return list
}

// TestSum_addsAsTheLibraryDoes compares sums with those of hdrhistogram-go, for logs of both writers.
func TestSum_addsAsTheLibraryDoes(t *testing.T) {
	testenv.SlowRaced(t)
	random := rand.New(rand.NewPCG(1, 2))
	wantTheirs, wantOurs := hdrhistogram.New(1, 60e9, 3), hdrhistogram.New(16, 60e9, 3)
	var theirs bytes.Buffer
	log, writer := hdrhistogram.NewHistogramLogWriter(&theirs), NewLogWriter(time.Unix(1, 0))
	ours := writer.AppendHeader(nil, "a comment")
	for i := range 50 {
		h, o := hdrhistogram.New(1, 60e9, 3), New(time.Minute)
		if i == 20 { // a histogram that divides values otherwise
			h = hdrhistogram.New(1, 60e9, 2)
		}
		for range random.IntN(300) {
			v := int64(math.Exp(random.Float64() * math.Log(59e9)))
			require.NoError(t, h.RecordValue(v))
			o.Record(time.Duration(v))
			require.NoError(t, wantOurs.RecordValue(v))
		}
		wantTheirs.Merge(h)
		h.SetTag("push")
		require.NoError(t, log.OutputIntervalHistogram(h))
		ours = writer.AppendInterval(ours, "push", time.Unix(int64(i), 0), time.Unix(int64(i)+1, 0), o)
	}
	for name, c := range map[string]struct {
		log  []byte
		want *hdrhistogram.Histogram
	}{"hdrhistogram-go": {theirs.Bytes(), wantTheirs}, "LogWriter": {ours, wantOurs}} {
		t.Run(name, func(t *testing.T) {
			var s Sum
			require.Nil(t, s.Histogram())
			list := encodedIn(c.log)
			require.Len(t, list, 50)
			for _, encoded := range list {
				require.NoError(t, s.Add(encoded))
			}
			require.Equal(t, c.want.TotalCount(), s.Histogram().TotalCount())
			require.Equal(t, c.want.Export().Counts, s.Histogram().Export().Counts)

			require.Error(t, s.Add([]byte("HIST")))
			require.Equal(t, c.want.TotalCount(), s.Histogram().TotalCount(), "what can't be read adds nothing")
		})
	}
}
