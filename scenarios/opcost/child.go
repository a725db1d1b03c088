package opcost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
)

// A message is a line of the child's output: the name of a step that begins, or the report.
type message struct {
	Step   string  `json:"step,omitempty"`
	Report *Report `json:"report,omitempty"`
}

// Serve is the child's side of [Run]. It reads a [Config] from in, measures, and writes each step
// and finally the report to out, each as a line of JSON. It returns when in ends, which also
// happens when the parent has ended.
func Serve(ctx context.Context, in io.Reader, out io.Writer, f Fleet) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var cfg Config
	if err := json.NewDecoder(in).Decode(&cfg); err != nil {
		return fmt.Errorf("standard input holds no order: %w", err)
	}
	// This goroutine may outlive the function, since a read of standard input can't be canceled.
	// The process is about to exit then.
	go func() {
		_, _ = io.Copy(io.Discard, in) // an error ends the input, too
		cancel()
	}()
	messages := json.NewEncoder(out)
	var unsent error
	r, err := measure(ctx, cfg, f, func(step string) {
		unsent = errors.Join(unsent, messages.Encode(message{Step: step}))
	})
	if err = errors.Join(err, unsent); err != nil {
		return err
	}
	return messages.Encode(message{Report: r})
}

// stopTimeout is how long the child may take to exit, including the end of its fleet.
const stopTimeout = 20 * time.Second

// Run starts a child that measures. command is the program and the arguments that make it call
// [Serve]. Run calls onStep with the name of each step as it begins. If the child fails, the error
// contains the end of its standard error.
func Run(ctx context.Context, command []string, cfg Config, onStep func(string)) (*Report, error) {
	var stderr childproc.Tail
	child, err := childproc.StartChild(command, &stderr, stopTimeout)
	if err != nil {
		return nil, fmt.Errorf("the measurement's process can't be started: %w", err)
	}
	report, err := readMessages(ctx, child, cfg, onStep)
	closed := child.Close()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case child.Err() != nil:
		words := strings.Join(strings.Fields(stderr.String()), " ")
		return nil, fmt.Errorf("the measurement's process: %w: %s", child.Err(), words)
	case report == nil:
		return nil, errors.Join(errors.New("the measurement's process ended without a report"), err)
	}
	return report, closed
}

// readMessages sends the child its order and reads its messages, until the child ends or ctx is
// done.
func readMessages(
	ctx context.Context, child *childproc.Child, cfg Config, onStep func(string),
) (report *Report, err error) {
	if err := child.Send(cfg); err != nil {
		return nil, err
	}
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case line, ok := <-child.Lines():
			var m message
			switch {
			case !ok:
				return report, err
			case err != nil: // keep reading, so that the child can exit
				continue
			}
			if err = json.Unmarshal(line, &m); err != nil {
				continue
			}
			if m.Step != "" {
				onStep(m.Step)
			}
			if m.Report != nil {
				report = m.Report
			}
		}
	}
}
