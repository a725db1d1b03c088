package progress

import (
	"bytes"
	"io"
	"sync"

	"github.com/fleetmark/fleetmark/cmd/fleetmark/app/cli"
	"github.com/fleetmark/fleetmark/scenarios/batch"
)

// A Screen is where a command shows scenarios one after another, and writes notes meanwhile. It is
// an [io.Writer] for the notes: lines that are written while bars are drawn appear above them. It
// is safe for concurrent use.
type Screen struct {
	w    io.Writer
	mode Mode

	mu    sync.Mutex // guards what follows, and writing to w
	bars  *progressBars
	start []byte // of a line that is not yet complete
}

// NewScreen returns a screen that shows scenarios on w.
func NewScreen(w io.Writer, mode Mode) *Screen { return &Screen{w: w, mode: mode} }

// maxLine is how many bytes of an incomplete line wait for its end while bars are drawn.
const maxLine = 4096

// Write writes notes. While bars are drawn, a line is written once it is complete.
func (s *Screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bars == nil {
		return s.w.Write(text)
	}
	s.start = append(s.start, text...)
	end := bytes.LastIndexByte(s.start, '\n') + 1
	if end == 0 && len(s.start) < maxLine {
		return len(text), nil
	}
	if end == 0 {
		s.start = append(s.start, '\n')
		end = len(s.start)
	}
	lines := s.start[:end]
	if _, err := s.bars.pool.Write(lines); err != nil { // the screen was closed
		_, _ = s.w.Write(lines)
	}
	s.start = append([]byte(nil), s.start[end:]...)
	return len(text), nil
}

// View returns a view that shows the next scenario. Only one view of a screen is open at a time.
func (s *Screen) View() batch.View {
	v := New(s.w, s.mode)
	switch of := v.(type) {
	case *progressBars:
		if cli.IsTerminal(s.w) { // elsewhere nothing is drawn
			return s.show(of)
		}
	case *lineView:
		of.w = s
	case *jsonView:
		of.w = s
	}
	return v
}

// show makes the bars those above which notes appear.
func (s *Screen) show(b *progressBars) batch.View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bars = b
	return screenView{b, s}
}

// screenView is bars on a screen.
type screenView struct {
	*progressBars
	s *Screen
}

// Close closes the bars, and writes what remains of an incomplete line below them.
func (v screenView) Close() {
	v.progressBars.Close()
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.s.bars = nil
	if len(v.s.start) > 0 {
		_, _ = v.s.w.Write(v.s.start)
		v.s.start = nil
	}
}
