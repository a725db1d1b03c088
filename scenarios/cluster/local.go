package cluster

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
)

// LocalAgents are agents in processes of their own on this machine. They end with the process that
// started them.
type LocalAgents struct {
	children []*childproc.Child
	reading  sync.WaitGroup
}

// A LocalOrder is the line that a local agent reads from its standard input first.
type LocalOrder struct {
	Token string `json:"token"` // for the NATS server
}

// localGrace is how long a local agent may take to end.
const localGrace = 20 * time.Second

// StartLocal starts n agents, named local-1 to local-n. command is the program and its arguments
// that make it such an agent, but for its name, which is added.
func StartLocal(command []string, n int, token string, stderr io.Writer) (_ *LocalAgents, err error) {
	l := &LocalAgents{}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.Close())
		}
	}()
	for i := range n {
		args := append(append([]string(nil), command...), "local-"+strconv.Itoa(i+1))
		c, err := childproc.StartChild(args, stderr, localGrace)
		if err != nil {
			return nil, fmt.Errorf("starting an agent: %w", err)
		}
		l.children = append(l.children, c)
		l.reading.Go(func() {
			for range c.Lines() { // it prints nothing; what it would print is dropped
			}
		})
		if err := c.Send(LocalOrder{token}); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// WhenEnded calls ended with the reason when an agent has ended by itself, unless stop is called
// before. stop waits for a call that has begun.
func (l *LocalAgents) WhenEnded(ended func(error)) (stop func()) {
	stopped := make(chan struct{})
	var all sync.WaitGroup
	for i, c := range l.children {
		all.Go(func() {
			select {
			case <-c.Ended():
				how := "without an error"
				if err := c.Err(); err != nil {
					how = err.Error()
				}
				ended(fmt.Errorf("agent local-%d ended by itself: %s", i+1, how))
			case <-stopped:
			}
		})
	}
	return func() {
		close(stopped)
		all.Wait()
	}
}

// Close ends the agents and waits until they have ended.
func (l *LocalAgents) Close() error {
	errs := make([]error, len(l.children))
	var all sync.WaitGroup
	for i, c := range l.children {
		all.Go(func() { errs[i] = c.Close() })
	}
	all.Wait()
	l.reading.Wait()
	return errors.Join(errs...)
}
