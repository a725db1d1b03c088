package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/internal/scratch"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/ledger"
	"github.com/fleetmark/fleetmark/profiles/capture"
	"github.com/fleetmark/fleetmark/results"
	"github.com/fleetmark/fleetmark/scenarios"
	"github.com/fleetmark/fleetmark/scenarios/client/service"
	"github.com/fleetmark/fleetmark/scenarios/health"
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
		Command: slices.Concat(spec.Start, spec.Trigger.Command),
	}
	if len(spec.Start) > 0 {
		s.client.Command = spec.Start
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

// How a rollout is watched. settleTime is how long devices may still install once the service said
// that its rollout is over, and how long it may say so once all devices run the update.
const (
	lookInterval = 100 * time.Millisecond
	lookShare    = 40 // a look takes no more than this part of the time between two
	settleTime   = 2 * time.Second
)

// A serviceRollout is what a repetition saw of a service's rollout.
type serviceRollout struct {
	devices []serviceDevice // by index
	rollout time.Duration   // until all devices ran the update, or else until the rollout was over
	atOnce  int             // the most devices that were contacted and didn't run the update yet
	said    service.Said
	ended   string // how the service ended by itself; empty if it didn't
	late    bool   // the deadline passed

	// updatedAnyway are the IDs of devices that run the update, though the service says that they failed.
	updatedAnyway []string

	// reachable reports whether device i can always be reached, so that a service which never contacted
	// it has left it out. It is nil if that isn't known.
	reachable func(i int) bool
}

// A serviceDevice is what is known of a device. Times count from the trigger; 0 is not yet.
type serviceDevice struct {
	contacted, updated time.Duration
	version            string // that it runs, if it isn't the update
	wrong              string // why it doesn't run the update
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

// A ledgerWatch finds out from the ledger what happens to the devices.
type ledgerWatch struct {
	session *Session
	update  *delivery.Update
	rollout *serviceRollout
	to      *load.Sightings

	began              time.Time     // when the rollout was triggered
	clock              time.Duration // then, on the fleet's clock
	contacted, updated int           // devices
	pending            int           // devices that take or install an update
	events             []event       // reused
	over               bool          // no more looks
}

// begin notes when the rollout is triggered, which must follow at once.
func (w *ledgerWatch) begin(ctx context.Context) error {
	asked := time.Now()
	status, err := w.session.target.Witness().Status(ctx)
	if err != nil {
		return fmt.Errorf("asking the fleet: %w", err)
	}
	if status.SinceReset == 0 {
		return errors.New("the fleet's ledger has no times, which a client.service needs: start the fleet with this release")
	}
	w.began = time.Now()
	w.clock = status.SinceReset + w.began.Sub(asked)/2
	w.to.Start(w.began)
	return nil
}

func (w *ledgerWatch) elapsed() time.Duration { return time.Since(w.began) }

// since returns the time since the trigger of a time on the fleet's clock, at least 1. It returns 0
// for 0.
func (w *ledgerWatch) since(ns int64) time.Duration {
	if ns == 0 {
		return 0
	}
	return max(1, time.Duration(ns)-w.clock)
}

// An event is that a device was contacted, or that it was updated, at a time after the trigger.
type event struct {
	at      time.Duration
	device  int
	updated bool
}

// look reads the ledger, and records what happened since the last look, in its order.
func (w *ledgerWatch) look(ctx context.Context) error {
	witness := w.session.target.Witness()
	status, err := witness.Status(ctx)
	if err != nil {
		return fmt.Errorf("asking the fleet: %w", err)
	}
	// What happened until now is in the ledger that is read next. Of what happens while it is read, some
	// may be missing, so the rest of it waits for the next look.
	until := status.SinceReset - w.clock
	w.events, w.pending = w.events[:0], 0
	for e, err := range witness.Ledger(ctx) {
		if err != nil {
			return fmt.Errorf("reading the fleet's ledger: %w", err)
		}
		if e.Device >= len(w.rollout.devices) {
			return w.session.claims.unknownDevice(e.Device)
		}
		w.see(e, until)
	}
	slices.SortFunc(w.events, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.device, b.device)) })
	for _, e := range w.events {
		w.to.Until(e.at)
		if e.updated {
			w.to.Updated(e.device, e.at)
		} else {
			w.to.Began(e.device)
		}
	}
	w.to.Until(until)
	return nil
}

// see notes what the ledger says of a device until a time.
func (w *ledgerWatch) see(e ledger.Entry, until time.Duration) {
	if e.Stage == ledger.StageReceiving || e.Stage == ledger.StageInstalling {
		w.pending++
	}
	d := &w.rollout.devices[e.Device]
	if at := w.since(e.ContactedNS); d.contacted == 0 && at > 0 && at <= until {
		d.contacted = at
		w.contacted++
		w.events = append(w.events, event{at: at, device: e.Device})
	}
	if d.updated > 0 || d.contacted == 0 {
		return
	}
	d.wrong = wrongSoftware(e, w.update)
	if at := w.since(e.UpdatedNS); d.wrong == "" && at <= until {
		d.updated = at
		w.updated++
		w.events = append(w.events, event{at, e.Device, true})
	}
}

// wrongSoftware says why a device doesn't run an update. It returns "" if it does.
func wrongSoftware(e ledger.Entry, u *delivery.Update) string {
	switch digest := u.Artifact().DigestHex(); {
	case e.Version == u.Version() && e.Digest == digest:
		return ""
	case e.Applied == 0 && e.InstallFailures > 0:
		return "could not install it"
	case e.Applied == 0 && e.Pushes > 0:
		return "took none of " + plaintext.Count(int(e.Pushes), "push")
	case e.Applied == 0:
		return "was never pushed to"
	case e.Version != u.Version():
		return fmt.Sprintf("runs %q, not %q", e.Version, u.Version())
	default:
		return fmt.Sprintf("runs content %.12s…, not %.12s…", e.Digest, digest)
	}
}

// The classes of devices that a service didn't update.
const (
	classLeftOut     = "left-out"
	classNotUpdated  = "not-updated"
	classWrongUpdate = "wrong-update"
)

// finish records the devices that don't run the update when the rollout is over.
func (w *ledgerWatch) finish(took time.Duration) {
	r := w.rollout
	for i := range r.devices {
		d := &r.devices[i]
		r.rollout = max(r.rollout, d.updated)
		switch {
		case d.updated > 0:
			continue
		case d.contacted == 0:
			d.wrong = "was never contacted"
			w.to.Failed(i, took, classLeftOut, "the service never contacted it")
		case strings.HasPrefix(d.wrong, "runs "):
			w.to.Failed(i, took, classWrongUpdate, "it %s", d.wrong)
		default:
			w.to.Failed(i, took, classNotUpdated, "it %s", d.wrong)
		}
	}
	if w.updated < len(r.devices) {
		r.rollout = took
	}
	r.atOnce = mostAtOnce(r.devices, took)
}

// mostAtOnce returns how many devices were contacted and not updated yet, at most, at any time until
// the end.
func mostAtOnce(devices []serviceDevice, end time.Duration) (most int) {
	type change struct {
		at time.Duration
		by int
	}
	var changes []change
	for _, d := range devices {
		if d.contacted > 0 {
			changes = append(changes, change{d.contacted, 1}, change{max(d.contacted, cmp.Or(d.updated, end)), -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Or(cmp.Compare(a.at, b.at), b.by-a.by) })
	now := 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return most
}

// addTimes adds the metrics of a rollout's times.
func (r *serviceRollout) addTimes(t *load.Latencies, add func(unit string, v float64)) {
	addTimesToUpdated(t, add)
	add(results.UnitRolloutTime, float64(r.rollout))
	add(results.UnitDevicesAtOnce, float64(r.atOnce))
}

// addTimesToUpdated adds the metrics of the times from the trigger of a service to the updates.
func addTimesToUpdated(t *load.Latencies, add func(unit string, v float64)) {
	add(results.UnitToUpdatedP50, quantile(t.Response, 50))
	add(results.UnitToUpdatedP90, quantile(t.Response, 90))
	add(results.UnitToUpdatedP99, quantile(t.Response, 99))
	add(results.UnitToUpdatedMax, float64(t.Response.Max()))
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

// compare compares the ledger with what the client claims, or with what a service says.
func (s *Session) compare(
	ctx context.Context, m *measured, entries iter.Seq2[ledger.Entry, error], u *delivery.Update,
) (deviceCounts, []string, error) {
	if s.service == nil {
		return s.claims.reconcile(ctx, entries, u, s.spec.Load.Operation)
	}
	return s.service.last.compare(ctx, s.claims, s.target.Devices(), entries, u)
}

// deviceNames is how many devices a sentence names.
const deviceNames = 10

// compare counts the devices by the ledger, and returns a sentence for each contradiction: with what
// the service says, and of a device that it updated twice or mistook for another.
func (r *serviceRollout) compare(
	ctx context.Context, c *claims, devices load.Devices, entries iter.Seq2[ledger.Entry, error], u *delivery.Update,
) (deviceCounts, []string, error) {
	n := c.newCounts()
	var said, twice, mistaken []string
	runs := make([]bool, len(r.devices))
	r.updatedAnyway = nil
	for e, err := range entries {
		if err != nil {
			return n, nil, fmt.Errorf("reading the fleet's ledger: %w", err)
		}
		if e.Device >= len(r.devices) {
			return n, nil, c.unknownDevice(e.Device)
		}
		runs[e.Device] = wrongSoftware(e, u) == ""
		if e.AppliedTwice > 0 {
			n.add(e.Device, appliedTwice)
			twice = append(twice, fmt.Sprintf("%s (%d times too often)", devices.At(e.Device).ID, e.AppliedTwice))
		}
		if e.Misdirected > 0 {
			mistaken = append(mistaken, devices.At(e.Device).ID)
		}
	}
	// An interrupted rollout isn't over, whatever the service says.
	claimsAll := r.said.Over && r.said.Gave == "" && ctx.Err() == nil
	gaveUp := make(map[string]bool, len(r.said.FailedIDs))
	for _, id := range r.said.FailedIDs {
		gaveUp[id] = true
	}
	var denied []string
	left := 0
	for i := range r.devices {
		switch id := devices.At(i).ID; {
		case runs[i]:
			n.add(i, updated)
			if gaveUp[id] { // the answer that would have said so may have been lost
				r.updatedAnyway = append(r.updatedAnyway, id)
			}
		case ctx.Err() != nil:
		case !claimsAll || gaveUp[id]:
			n.add(i, failed)
		default:
			left++
			if r.said.FailedIDs == nil && left <= r.said.Failed { // it says how many, and not which
				n.add(i, failed)
				continue
			}
			n.add(i, lost)
			denied = append(denied, id+" "+cmp.Or(r.devices[i].wrong, "doesn't run it"))
		}
	}
	if len(denied) > 0 {
		but := ""
		if r.said.Failed > 0 {
			but = fmt.Sprintf(" but for %s", plaintext.Count(r.said.Failed, "device"))
		}
		said = append(said, fmt.Sprintf("the service says that the rollout is over%s, and %s of %s not run the update: %s", but,
			plaintext.Thousands(int64(len(denied))), plaintext.Count(len(r.devices), "device")+" do", names(denied)))
	}
	if len(twice) > 0 {
		said = append(said, "applied the same update twice: "+names(twice))
	}
	if len(mistaken) > 0 {
		said = append(said, "got pushes that were meant for another device: "+names(mistaken))
	}
	if more := len(said) - maxContradictions; more > 0 {
		said = append(said[:maxContradictions], fmt.Sprintf("and %d more contradictions", more))
	}
	return n, said, nil
}

// names lists the first few of a list.
func names(list []string) string {
	if more := len(list) - deviceNames; more > 0 {
		return strings.Join(list[:deviceNames], ", ") + fmt.Sprintf(" and %s more", plaintext.Thousands(int64(more)))
	}
	return strings.Join(list, ", ")
}

// check adds what readers should know of a service's rollout beside the figures. It does nothing if v
// is nil.
func (v *serviceClient) check(m *measured, devices load.Devices) {
	if v == nil {
		return
	}
	r := v.last
	note := func(format string, args ...any) { m.notes = append(m.notes, fmt.Sprintf(format, args...)) }
	if r.ended != "" {
		m.findings = append(m.findings, health.Finding{Kind: health.ServiceEnded, Detail: r.ended})
	}
	if r.said.Gave != "" {
		note("%s", r.said.Gave)
	}
	if r.said.Err != nil {
		note("client.service.%v", r.said.Err)
	}
	if m.processes != nil && !m.processes.Known {
		why := "this system doesn't tell"
		if !v.config.RunsHere() {
			why = "it wasn't started by client.service.start"
		}
		note("processor time and memory of the service aren't known: %s", why)
	}
	if list := r.updatedAnyway; len(list) > 0 {
		note("the service says that %s failed, and the ledger that they run the update: %s",
			plaintext.Count(len(list), "device"), names(list))
	}
	var without, leftOut []string
	for i, d := range r.devices {
		if d.updated > 0 {
			continue
		}
		without = append(without, devices.At(i).ID+" "+d.wrong)
		if d.contacted == 0 && !r.said.Over && r.ended == "" && r.reachable != nil && r.reachable(i) {
			leftOut = append(leftOut, devices.At(i).ID)
		}
	}
	if len(leftOut) > 0 {
		m.findings = append(m.findings, health.Finding{Kind: health.DevicesLeftOut, Detail: fmt.Sprintf("%s of %s not contacted within %v: %s",
			plaintext.Thousands(int64(len(leftOut))), plaintext.Count(len(r.devices), "device")+" were",
			v.took.Round(100*time.Millisecond), names(leftOut))})
	}
	if len(without) == 0 {
		return
	}
	when := "when the service said that its rollout is over"
	switch {
	case r.late:
		when = fmt.Sprintf("after %v (client.service.deadline)", v.spec.Deadline)
	case r.said.Gave != "":
		when = "when the trigger's command ended"
	case !r.said.Over:
		when = "at the end"
	}
	note("%s of %s not run the update %s: %s", plaintext.Thousands(int64(len(without))),
		plaintext.Count(len(r.devices), "device")+" did", when, names(without))
}
