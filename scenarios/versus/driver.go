package versus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/scenarios"
)

// driverGrace is how long a driver may take to end once its input has.
const driverGrace = 10 * time.Second

// driver is a process that measures one side.
type driver struct {
	side    string // "base" or "now", for errors
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	encoder *json.Encoder
	answers chan answer // closed when it says no more
	words   lastWords
	reading sync.WaitGroup
	waitErr error
}

// startDriver starts a program and gives it its order. What it says on standard error is kept for
// when it fails.
func startDriver(ctx context.Context, side, program string, o order) (_ *driver, err error) {
	d := &driver{side: side, cmd: exec.Command(program, "drive"), answers: make(chan answer)}
	d.cmd.Stderr = &d.words
	childproc.SetGroup(d.cmd) // a Ctrl-C is for the gate, which then ends its drivers
	if d.stdin, err = d.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := d.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, &scenarios.UsageError{What: "the driver of " + side + " can't be started", Err: err}
	}
	d.encoder = json.NewEncoder(d.stdin)
	d.reading.Go(func() {
		defer close(d.answers)
		decoder := json.NewDecoder(stdout)
		for {
			var a answer
			if decoder.Decode(&a) != nil { // it ended, or says what isn't ours: the same to us
				_, _ = io.Copy(io.Discard, stdout)
				d.waitErr = d.cmd.Wait()
				return
			}
			d.answers <- a
		}
	})
	a, err := d.ask(ctx, o)
	if err == nil && a.Protocol != protocol {
		err = fmt.Errorf("the driver of %s speaks protocol %d, not %d: it is of another time than this fleetmark", side, a.Protocol, protocol)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// ask sends a line and waits for the one that answers it.
func (d *driver) ask(ctx context.Context, line any) (answer, error) {
	// One that ended already can't be written to: that nothing is answered says so.
	_ = d.encoder.Encode(line)
	select {
	case a, ok := <-d.answers:
		switch {
		case !ok:
			return a, fmt.Errorf("the driver of %s ended: %s", d.side, d.words.or(d.waitErr))
		case a.Error != "":
			return a, fmt.Errorf("the driver of %s: %s", d.side, a.Error)
		}
		return a, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	}
}

// close ends the process, and waits.
func (d *driver) close() error {
	_ = d.stdin.Close() // its sign to end; that it ended before is no mistake
	grace := time.AfterFunc(driverGrace, func() { _ = d.cmd.Process.Kill() })
	defer grace.Stop()
	for range d.answers { // one may have been under way
	}
	d.reading.Wait()
	return nil
}

// lastWords keeps the end of what a process says.
type lastWords struct {
	mu   sync.Mutex
	kept []byte
}

const maxLastWords = 4 << 10

func (w *lastWords) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = append(w.kept, text...)
	if over := len(w.kept) - maxLastWords; over > 0 {
		w.kept = w.kept[over:]
	}
	return len(text), nil
}

// or gives them in a line, or else the error.
func (w *lastWords) or(err error) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if words := strings.Join(strings.Fields(string(w.kept)), " "); words != "" {
		return words
	}
	if err != nil {
		return err.Error()
	}
	return "without a word"
}
