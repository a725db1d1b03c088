package anatomy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// message is a line of the child's output: a step that begins, or what came of all.
type message struct {
	Step   string  `json:"step,omitempty"`
	Report *Report `json:"report,omitempty"`
}

// Serve is what the child does: it reads a [Config] as a line of JSON from in, measures,
// and writes each step and at last the report to out, a line of JSON each. It ends when in
// does, which is when its parent has ended.
func Serve(ctx context.Context, in io.Reader, out io.Writer, f Fleet) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	orders := json.NewDecoder(in)
	var cfg Config
	if err := orders.Decode(&cfg); err != nil {
		return fmt.Errorf("standard input holds no order: %w", err)
	}
	// This goroutine may outlive the function: a read of standard input can't be broken
	// off. The process is about to end then.
	go func() {
		_, _ = io.Copy(io.Discard, in) // whatever ends it
		cancel()
	}()
	said := json.NewEncoder(out)
	var unsaid error
	r, err := Measure(ctx, cfg, f, func(step string) { unsaid = errors.Join(unsaid, said.Encode(message{Step: step})) })
	if err = errors.Join(err, unsaid); err != nil {
		return err
	}
	return said.Encode(message{Report: r})
}

// Run has a child measure; command is the program and the arguments that lead to [Serve].
// It tells each step as it begins. What the child says on standard error is the reason
// where it fails.
func Run(ctx context.Context, command []string, cfg Config, tell func(string)) (_ *Report, err error) {
	order, err := json.Marshal(cfg)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	var words bytes.Buffer
	cmd.Stderr = &words
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	// Its end is the child's sign to end, and to end its fleet; a kill comes after.
	cmd.Cancel = func() error {
		if err := stdin.Close(); !errors.Is(err, os.ErrClosed) {
			return err
		}
		return nil
	}
	cmd.WaitDelay = 20 * time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("the measurement's process can't be started: %w", err)
	}
	// A child that has ended already can't be written to; its exit says why.
	_, _ = stdin.Write(append(order, '\n'))
	report, read := listen(stdout, tell)
	closed := stdin.Close()
	if errors.Is(closed, os.ErrClosed) {
		closed = nil
	}
	err = cmd.Wait()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, fmt.Errorf("the measurement's process: %w: %s", err, strings.Join(strings.Fields(words.String()), " "))
	case report == nil:
		return nil, errors.Join(errors.New("the measurement's process ended without a report"), read)
	}
	return report, closed
}

// listen reads the child's output to its end.
func listen(out io.Reader, tell func(string)) (report *Report, err error) {
	lines := json.NewDecoder(out)
	for {
		var m message
		switch err := lines.Decode(&m); {
		case errors.Is(err, io.EOF):
			return report, nil
		case err != nil:
			_, _ = io.Copy(io.Discard, out) // so that the child can come to its end
			return nil, err
		}
		if m.Step != "" {
			tell(m.Step)
		}
		if m.Report != nil {
			report = m.Report
		}
	}
}
