package runner

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client/service"
	"github.com/fleetmark/fleetmark/scenarios/load"
	"github.com/fleetmark/fleetmark/scenarios/target"
)

// A serviceClient is how the service of client.service is driven.
type serviceClient struct {
	spec   scenarios.ServiceSpec
	config service.Config
	values service.Values // without the version
	dir    *scratch.Dir   // holds files that the service reads

	took time.Duration   // the last rollout
	last *serviceRollout // the rollout of the running repetition, or of the last one
}

// openService makes the session drive the service of client.service. It starts one and ends it, so
// that no run begins whose service can't be started.
func (s *Session) openService(ctx context.Context) (err error) {
	spec := s.spec.Client.Service.WithDefaults()
	v := &serviceClient{spec: spec, config: service.Config{
		Start: spec.Start, Directory: spec.Directory, Ready: spec.Ready, Command: spec.Trigger.Command,
		Done: spec.Done, DoneText: spec.DoneText,
	}}
	if spec.Done == scenarios.DoneByExit {
		v.config.Done, v.config.ByExit = "", true
	}
	if q := spec.Trigger.Request; !q.IsZero() {
		header, err := resolveHeader(scenarios.ClientSpec{Headers: q.Headers})
		if option, ok := errors.AsType[*scenarios.OptionError](err); ok {
			option.Option = "client.service.trigger.request.headers"
		}
		if err != nil {
			return err
		}
		v.config.Request = &service.Request{Method: q.Method, URL: q.URL, Body: q.Body, Header: header}
	}
	if v.dir, err = scratch.New("", "fleetmark-service"); err != nil {
		return err
	}
	s.closers = append(s.closers, v.dir.Close)
	v.values.Size, v.values.SHA256 = s.artifact.Size(), s.artifact.DigestHex()
	if v.values.Artifact, err = s.artifactFile(v.dir.Path); err != nil {
		return fmt.Errorf("a copy of the artifact for client.service: %w", err)
	}
	served, err := service.ServeArtifact(s.artifact)
	if err != nil {
		return fmt.Errorf("serving the artifact for client.service: %w", err)
	}
	s.closers = append(s.closers, served.Close)
	v.values.ArtifactURL = served.URL
	if s.spec.Client.CA != "" {
		if v.values.CA, err = filepath.Abs(s.spec.Client.CA); err != nil {
			return err
		}
	}
	s.service = v
	s.clients.newClient = v.start
	tried, err := service.Start(ctx, v.config)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &scenarios.OptionError{Option: "client.service", Err: err}
	}
	s.client = results.Client{
		Name: tried.Name(), Package: "service:" + tried.Name(), Version: tried.Version(),
		Command: spec.Program(),
	}
	return tried.Close()
}

// trust makes services that are started later trust the authorities in text, which is PEM.
func (v *serviceClient) trust(text []byte) error {
	v.values.CA = filepath.Join(v.dir.Path, "ca.pem")
	return os.WriteFile(v.values.CA, text, 0o600)
}

// listDevices writes the list of devices.
func (v *serviceClient) listDevices(devices iter.Seq[delivery.Device]) error {
	extension := ".txt"
	if form := v.spec.Devices; form == scenarios.DevicesJSON || form == scenarios.DevicesCSV {
		extension = "." + form
	}
	v.values.DevicesFile = filepath.Join(v.dir.Path, "devices"+extension)
	v.values.Count = 0
	f, err := os.OpenFile(v.values.DevicesFile, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	counted := func(yield func(delivery.Device) bool) {
		for d := range devices {
			v.values.Count++
			if !yield(d) {
				return
			}
		}
	}
	err = service.WriteDevices(f, v.spec.Devices, counted)
	if err = errors.Join(err, f.Close()); err != nil {
		return &scenarios.OptionError{Option: "client.service.devices", Err: err}
	}
	if v.config.Request != nil {
		v.values.Devices, err = os.ReadFile(v.values.DevicesFile)
	}
	return err
}

// start makes the client of a repetition: a service that is ready.
func (v *serviceClient) start(ctx context.Context, _ delivery.Config) (load.Client, error) {
	started, err := service.Start(ctx, v.config)
	if err != nil {
		return nil, fmt.Errorf("client.service: %w", err)
	}
	return startedService{started}, nil
}

// A startedService is the service of a repetition. It can't be asked for single operations.
type startedService struct{ *service.Service }

var errNoOperations = errors.New("a service isn't asked for single operations")

func (startedService) Push(context.Context, delivery.Device, *delivery.Update) error {
	return errNoOperations
}

func (startedService) Verify(context.Context, delivery.Device, *delivery.Update) error {
	return errNoOperations
}

func (startedService) Deliver(context.Context, delivery.Device, *delivery.Update) (delivery.Report, error) {
	return delivery.Report{}, errNoOperations
}

// service returns the client's service, or nil if it is none.
func (c repetitionClient) service() *service.Service {
	v, _ := c.Client.(startedService)
	return v.Service
}

// executor returns the executor of a repetition's rollout to version u.
func (v *serviceClient) executor(s *Session, u *delivery.Update) load.Executor {
	v.last = &serviceRollout{devices: make([]serviceDevice, s.target.Devices().Len()), reachable: s.reachable()}
	return load.Witnessed{Watch: func(ctx context.Context, to *load.Sightings) error {
		return v.watch(ctx, s, u, to)
	}}
}

// reachable returns a function that reports whether device i has no faults, so that it can always be
// reached. It returns nil if that isn't known, because somebody else started the fleet.
func (s *Session) reachable() func(i int) bool {
	if kind := s.target.Kind(); kind != target.OwnProcess && kind != target.InProcess {
		return nil
	}
	faulty := map[string]bool{behavior.RestGroup: len(s.spec.Fleet.Behavior.Faults) > 0}
	for _, g := range s.spec.Fleet.Groups {
		faulty[g.Name] = len(g.Behavior.Faults) > 0
	}
	groups, _ := s.target.Groups()
	if groups == nil {
		return func(int) bool { return !faulty[behavior.RestGroup] }
	}
	names := groups.Names()
	return func(i int) bool { return !faulty[names[groups.Of(i)]] }
}

// How a rollout is watched. settleTime is how long devices may still install once the service said
// that its rollout is over, and how long it may say so once all devices run the update.
const (
	lookInterval = 100 * time.Millisecond
	lookShare    = 40 // a look takes no more than this part of the time between two
	settleTime   = 2 * time.Second
)

// watch triggers a rollout, and watches the ledger until it is over.
func (v *serviceClient) watch(ctx context.Context, s *Session, u *delivery.Update, to *load.Sightings) error {
	running := s.current.Load().service()
	values := v.values
	values.Version = u.Version()
	w := &ledgerWatch{session: s, update: u, rollout: v.last, to: to}
	if err := w.begin(ctx); err != nil {
		return err
	}
	watched, stop := context.WithCancel(ctx)
	defer stop()
	triggered := running.Trigger(watched, values)
	err := v.await(ctx, w, running, triggered)
	v.last.said = triggered.Said()
	v.took = w.elapsed()
	if ctx.Err() != nil || err != nil { // what was seen until now is kept
		v.last.rollout, v.last.atOnce = v.took, mostAtOnce(v.last.devices, v.took)
		return err
	}
	if err := w.look(ctx); err != nil { // what happened during the last look
		return err
	}
	w.finish(v.took)
	return nil
}

// await looks at the ledger until the rollout is over.
func (v *serviceClient) await(ctx context.Context, w *ledgerWatch, running *service.Service, triggered *service.Rollout) error {
	deadline := time.NewTimer(v.spec.Deadline.Std())
	defer deadline.Stop()
	var settled <-chan time.Time // ends the wait for what may still come
	for {
		looked, said, ended := time.Now(), triggered.Said(), w.rollout.ended != ""
		if err := w.look(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		all := w.updated == len(w.rollout.devices)
		switch {
		case said.Err != nil && !said.Began && w.contacted == 0:
			return fmt.Errorf("client.service.%w", said.Err)
		case said.Gave != "" && w.contacted == 0:
			return fmt.Errorf("client.service.trigger.command: %s, and it contacted no device", said.Gave)
		case w.over || all && (said.Over || v.spec.Done == "" && said.Began):
			return nil
		case (said.Over || ended || said.Err != nil && !said.Began) && w.pending == 0:
			return nil // nothing more can come
		case settled == nil && (all || said.Over || ended || said.Err != nil && !said.Began):
			late := time.NewTimer(settleTime)
			defer late.Stop()
			settled = late.C
		}
		end := running.Ended()
		if w.rollout.ended != "" {
			end = nil
		}
		over := triggered.Over()
		if said.Over {
			over = nil
		}
		next := time.NewTimer(max(lookInterval, lookShare*time.Since(looked)))
		select {
		case <-next.C:
		case <-over:
		case <-settled: // one more look, which is the last
			w.over = true
		case <-end:
			w.rollout.ended = running.End()
		case <-deadline.C:
			w.over, w.rollout.late = true, !all
		case <-ctx.Done():
			next.Stop()
			return nil
		}
		next.Stop()
	}
}

// profileService begins to capture the profiles that the service serves, for as long as its last
// rollout took. end waits for them.
func (r *runner) profileService(ctx context.Context, repetition int) (end func(int64, time.Duration) error) {
	lasts := max(min(r.service.took, maxProfile).Truncate(time.Second), minProfile)
	var failed error
	done := make(chan struct{})
	go func() {
		defer close(done)
		c := &http.Client{Transport: &http.Transport{}}
		defer c.CloseIdleConnections()
		_, failed = capture.Remote(ctx, c, r.service.spec.Pprof, r.dir.ProfilesDir(), repetition,
			capture.RemoteConfig{Duration: lasts, Labels: r.labels})
	}()
	return func(int64, time.Duration) error {
		<-done
		return failed
	}
}
