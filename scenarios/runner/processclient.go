package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client"
	"github.com/fleetmark/fleetmark/scenarios/client/process"
	"github.com/fleetmark/fleetmark/scenarios/health"
	"github.com/fleetmark/fleetmark/scenarios/load"
)

// processes is how the processes of client.command are started.
type processes struct {
	process.Config
	dir  *scratch.Dir  // holds files that the processes read
	took time.Duration // the last repetition's load

	hold bool          // repetitions share their processes
	held *process.Pool // those; nil before the first repetition
}

// openProcesses makes the session drive the processes of client.command. It starts one and ends it,
// so that no run begins whose client can't be started.
func (s *Session) openProcesses(ctx context.Context) (err error) {
	spec := s.spec.Client.WithProcessDefaults()
	p := &processes{Config: process.Config{
		Command: spec.Command, Placeholder: scenarios.PprofPlaceholder, Directory: spec.Directory,
		Processes: spec.Processes, Concurrency: spec.Concurrency, Deadline: spec.Deadline.Std(), Artifact: s.artifact,
		GoodReads: spec.ConfirmReads,
	}}
	_, workers := s.spec.Load.WorkerRange()
	p.Config.Config = client.Config{
		Workers: workers, DialTimeout: spec.DialTimeout.Std(), AnswerTimeout: spec.AnswerTimeout.Std(),
		TotalTimeout: spec.TotalTimeout.Std(), MaxAttempts: spec.MaxAttempts, MaxIdle: spec.MaxIdle,
	}
	if p.dir, err = scratch.New("", "fleetmark-client"); err != nil {
		return err
	}
	s.closers = append(s.closers, p.dir.Close)
	if p.ArtifactFile, err = s.artifactFile(p.dir.Path); err != nil {
		return fmt.Errorf("a copy of the artifact for client.command: %w", err)
	}
	if spec.CA != "" {
		if p.CAFile, err = filepath.Abs(spec.CA); err != nil {
			return err
		}
	}
	s.processes = p
	s.clients.newClient = s.startProcesses
	s.clientPackage = reflect.TypeFor[process.Pool]().PkgPath()

	one := *p
	one.Processes, one.Header = 1, s.clients.config.Header
	tried, err := process.Start(ctx, one.Config)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &scenarios.OptionError{Option: "client.command", Err: err}
	}
	name := process.Name(spec.Command)
	s.client = results.Client{
		Name: name, Package: "command:" + name, Version: tried.Hello().Version, Command: spec.Command,
	}
	return tried.Close()
}

// artifactFile returns the path of a file with the artifact's content, in dir unless the scenario
// names one.
func (s *Session) artifactFile(dir string) (path string, err error) {
	if s.spec.Artifact.File != "" {
		return filepath.Abs(s.spec.Artifact.File)
	}
	path = filepath.Join(dir, "artifact")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, s.artifact.Reader())
	return path, errors.Join(err, f.Close())
}

// trust makes processes that are started later trust the authorities in text, which is PEM.
func (p *processes) trust(text []byte) error {
	p.CAFile = filepath.Join(p.dir.Path, "ca.pem")
	return os.WriteFile(p.CAFile, text, 0o600)
}

// startProcesses makes the client of a repetition.
func (s *Session) startProcesses(ctx context.Context, cfg delivery.Config) (load.Client, error) {
	if s.processes.held != nil {
		return heldPool{s.processes.held}, nil
	}
	c := s.processes.Config
	c.Header = cfg.Header
	if cfg.Random != nil {
		c.Seed = cfg.Random.Uint64()
	}
	p, err := process.Start(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("client.command: %w", err)
	}
	if s.processes.hold {
		s.processes.held = p
		return heldPool{p}, nil
	}
	return p, nil
}

// processNotes returns what readers should know of the client's processes beside the figures. noop
// is Options.NoopClient. It returns nil if the client is in this process.
func (s *Session) processNotes(ctx context.Context, noop []string) (notes []string, err error) {
	p := s.processes
	if p == nil {
		return nil, nil
	}
	if noop != nil {
		cost, err := process.Overhead(ctx, noop)
		if err != nil {
			return nil, errors.Join(ctx.Err(), fmt.Errorf("measuring what the protocol of client.command costs: %w", err))
		}
		notes = append(notes, fmt.Sprintf("the protocol costs %v an operation here: that is how long one takes "+
			"with a client.command that does nothing, one at a time", cost.Round(100*time.Nanosecond)))
	}
	slots := p.Processes * p.Concurrency
	if workers, _ := s.spec.Load.WorkerRange(); !s.spec.Load.IsOpen() && workers > slots {
		notes = append(notes, fmt.Sprintf("%s share %s at a time (client.processes × client.concurrency): "+
			"times include the wait for a process", plaintext.Count(workers, "worker"), plaintext.Count(slots, "operation")))
	}
	return notes, nil
}

// pool returns the client's processes, or nil if the client is in this process.
func (c repetitionClient) pool() *process.Pool {
	switch c := c.Client.(type) {
	case *process.Pool:
		return c
	case heldPool:
		return c.Pool
	}
	return nil
}

// A processSnapshot is what the client's processes have used and said until a moment.
type processSnapshot struct {
	own   bool // the client has processes of its own; otherwise nothing is known
	usage process.Usage
	said  process.Said
}

// takeProcesses returns what the client's processes have used and said until now.
func (c repetitionClient) takeProcesses() processSnapshot {
	if v := c.service(); v != nil {
		return processSnapshot{true, process.Usage(v.Usage()), process.Said{}}
	}
	p := c.pool()
	if p == nil {
		return processSnapshot{}
	}
	return processSnapshot{true, p.Usage(), p.Said()}
}

// until returns what the processes used and said from one snapshot until a later one. The usage is
// nil if the client is in this process. Its times are 0 if they aren't known.
func (before processSnapshot) until(after processSnapshot) (*process.Usage, process.Said) {
	if !before.own {
		return nil, process.Said{}
	}
	u := after.usage
	if u.CPU -= before.usage.CPU; !u.Known || !before.usage.Known {
		u.CPU, u.PeakResident = 0, 0
	}
	a, b := after.said, before.said
	return &u, process.Said{
		Operations: a.Operations - b.Operations, BytesSent: a.BytesSent - b.BytesSent, BytesReceived: a.BytesReceived - b.BytesReceived,
	}
}

// checkProcesses adds what was wrong with the client's processes in a repetition, and what they say
// that the devices know better.
func (s *Session) checkProcesses(t task, m *measured, c repetitionClient) {
	p := c.pool()
	if p == nil {
		return
	}
	s.processes.took = m.Elapsed
	of := p.Troubles()
	note, findings := health.CheckClientProcesses(health.ClientProcesses{
		Program: of.Program, Operations: m.Succeeded + m.Failed, Died: of.Died, Hung: of.Hung, Nonsense: of.Nonsense,
		Restarts: of.Restarts, GaveUp: of.GaveUp, Last: of.Last,
	})
	if note != "" {
		m.notes = append(m.notes, note)
	}
	m.findings = append(m.findings, findings...)
	if said := m.said; t.Phase == Timed && t.Number == 1 && said.Operations > 0 && m.traffic != nil {
		each := func(n int64) string { return plaintext.Thousands(n / said.Operations) }
		counted := int64(m.traffic.BytesWritten+m.traffic.BytesRead) / max(1, m.Succeeded+m.Failed)
		m.notes = append(m.notes, fmt.Sprintf("the client says that an operation sends %s and receives %s bytes; "+
			"the devices counted %s together", each(said.BytesSent), each(said.BytesReceived), plaintext.Thousands(counted)))
	}
}
