package scenarios

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/fleetmark/fleetmark/mockfleet"
)

// facet is what a schema says of a field beyond its type.
type facet struct {
	doc       string      // for whoever writes a file: what it is, its unit, what leaving it out means
	low, high json.Number // bounds of a number
	above     json.Number // lower bound that it may not have
	orZero    bool        // 0 is good as well, whatever the bounds
	most      int         // members of a list; 0 is no bound
	required  bool        // of a member of a list: it can't be left out. Elsewhere a base may have it
	pattern   string
	enum      []any
	barred    []any // values that it can't have
}

// put says it of a schema.
func (f facet) put(s *schema) *schema {
	s.Description, s.Pattern, s.Enum = f.doc, f.pattern, f.enum
	bounds := s
	if f.orZero {
		bounds = &schema{}
		s.AnyOf = []*schema{{Enum: []any{0}}, bounds}
	}
	bounds.Minimum, bounds.Above, bounds.Maximum = f.low, f.above, f.high
	if f.most > 0 {
		s.MaxItems = &f.most
	}
	if len(f.barred) > 0 {
		s.Not = &schema{Enum: f.barred}
	}
	return s
}

// bars reports whether a default is out of bounds: where something has to be said.
func (f facet) bars(value any) bool {
	n, whole := value.(int)
	low, err := f.low.Int64()
	return whole && err == nil && int64(n) < low && !(f.orZero && n == 0)
}

// tokenText is a field's name (RFC 9110 §5.6.2).
const tokenText = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"

// maxRequired is mockfleet's bound of a behaviour's fields.
const maxRequired = 8

// facets are those of every field, by type and key. They are a table beside the types rather
// than tags on them: bounds are constants, which no tag can hold, and mockfleet's types are to
// know nothing of schemas. Tests hold that no field is missing and that the bounds are those of
// Validate.
func facets() map[string]facet {
	most := whole(math.MaxInt32)
	kinds := []any{}
	for _, k := range mockfleet.FaultKinds() {
		kinds = append(kinds, k.Name)
	}
	return map[string]facet{
		"Spec.name":        {doc: "Its name: 1 to 64 lower-case letters, digits and dashes. It becomes part of benchmark names.", pattern: nameForm.String(), required: true},
		"Spec.description": {doc: "The question that the scenario answers, in a line."},
		"Spec.suite":       {doc: "Scenarios that are run instead, one after another: names of the catalogue, or files by their paths from here; 100 at most. A suite has nothing else but name and description.", most: maxSuite},
		"Spec.thresholds":  {doc: "What must hold, or the run fails with exit code 1: METRIC < LIMIT, a metric as in samples.txt. Left out of a metric, the operation is the load's own."},
		"Spec.fleet":       {doc: "Which devices there are, and how they behave."},
		"Spec.artifact":    {doc: "What is pushed."},
		"Spec.client":      {doc: "How the production client is configured."},
		"Spec.load":        {doc: "Who asks for what, when."},
		"Spec.repetitions": {doc: "Repetitions that are timed and recorded, each a sample: 1 to 10000.", low: "1", high: whole(maxRepetitions)},
		"Spec.warmup":      {doc: "Repetitions before them that are thrown away: 0 to 1000.", low: "0", high: whole(maxWarmup)},
		"Spec.profiled":    {doc: "Repetitions after them that give profiles and no times: 0 to 1000.", low: "0", high: whole(maxWarmup)},
		"Spec.slow_trace":  {doc: "An operation of a profiled repetition that takes longer leaves an execution trace of the second before its end, 4 a repetition at most. 0s: none does."},
		"Spec.seed":        {doc: "Of the artifact, the devices' behaviour and the retries' jitter. The same seed replays the same faults.", low: "0", high: json.Number(strconv.FormatUint(math.MaxUint64, 10))},

		"FleetSpec.devices":    {doc: "How many devices: 1 to 16711679, in port addressing to 5000.", low: "1", high: whole(int64(mockfleet.AddressPath.Capacity()))},
		"FleetSpec.addressing": {doc: "How a device is told from another: ip (an address each, Linux only), port (a port each) or path (/d/INDEX, all on one port). Empty: ip on Linux, path elsewhere."},
		"FleetSpec.behavior":   {doc: "How the devices behave that are in no group."},
		"FleetSpec.groups":     {doc: "Parts of the fleet that behave otherwise, 64 at most; their shares come to 1 at most.", most: 64},
		"FleetSpec.capacity":   {doc: "Updates that all devices together answer in a time, 1000000/s at most; further ones wait their turn. 0/s: no limit."},
		"FleetSpec.tls":        {doc: "How devices speak TLS. Empty: not at all."},

		"ArtifactSpec.size":    {doc: "Of the artifact that is made from the seed: 1B to 1TiB. Not used with a file.", low: "1"},
		"ArtifactSpec.file":    {doc: "A real file to push instead."},
		"ArtifactSpec.version": {doc: "The version that it brings. Empty: the harness chooses."},

		"ClientSpec.transport":      {doc: "lean: the client's own over bare connections; nethttp: package net/http."},
		"ClientSpec.dial_timeout":   {doc: "For opening a connection, 24h at most. 0s: the client's default."},
		"ClientSpec.answer_timeout": {doc: "From a request's end to its answer, 24h at most. 0s: the client's default."},
		"ClientSpec.total_timeout":  {doc: "For a request as a whole, 24h at most. 0s: the client's default."},
		"ClientSpec.max_attempts":   {doc: "How often an update is pushed to a device in one delivery: 1 to 1000. 0: the client's default.", low: "0", high: whole(MaxAttempts)},
		"ClientSpec.retry_base":     {doc: "The widest first wait before a retry, 24h at most. 0s: the client's default."},
		"ClientSpec.retry_cap":      {doc: "The widest wait before any retry, 24h at most. 0s: the client's default."},
		"ClientSpec.max_idle":       {doc: "Kept-alive connections that no operation uses: 1 to 1048576. 0: the client's default.", low: "0", high: whole(maxIdle)},
		"ClientSpec.good_reads":     {doc: "Answers in a row that must say that a device runs the update before a delivery counts: 1 to 1000. 0: the client's default.", low: "0", high: whole(MaxAttempts)},
		"ClientSpec.poll":           {doc: "Between two looks at a device that installs or reboots, 24h at most. 0s: the client's default."},
		"ClientSpec.poll_for":       {doc: "How long such a device is looked at before the delivery ends as pending, 24h at most. 0s: the client's default."},
		"ClientSpec.defaults":       {doc: "shipped: the retry budget and the breaker as the client has them by default. Empty: neither, so that how often a device is tried depends on the seed alone."},
		"ClientSpec.headers":        {doc: "Header fields that are sent with every request, 64 at most.", most: maxHeaders},
		"ClientSpec.ca":             {doc: "A file in PEM: whom to trust for devices' certificates. Empty: the fleet's own authority, or else the system's."},

		"LoadSpec.model":      {doc: "How load comes. closed and once: workers wait for the answers. The others are open: operations are planned, whatever the answers."},
		"LoadSpec.operation":  {doc: "What is done with a device: push; verify; or deliver, which is both, with retries."},
		"LoadSpec.workers":    {doc: "Operations at the same time, at most: 1 to 65536. Left out, or 0, in an open model: as many as it takes, 4096 at most. Left out of the others: 32.", high: whole(MaxWorkers)},
		"LoadSpec.rate":       {doc: "Of constant, poisson, spike and breakpoint: operations begun per s, m or h. Of ramp: where it begins."},
		"LoadSpec.duration":   {doc: "How long a repetition lasts. 0s: until every device had the operation once."},
		"LoadSpec.drain":      {doc: "How long after the plan's end operations may be sent and may end, 24h at most; what is under way then is broken off. 0s: an open load that is certain to be invalid sends no more, and what is under way has 30s."},
		"LoadSpec.think":      {doc: "Of closed and once: how long a worker waits after each operation, 1h at most."},
		"LoadSpec.arrivals":   {doc: "Of ramp, spike and stages: even, or poisson, as callers come that know nothing of each other. Empty: even."},
		"LoadSpec.ramp":       {doc: "Of model ramp: where the rate goes, evenly, over the duration."},
		"LoadSpec.spike":      {doc: "Of model spike: a while at another rate."},
		"LoadSpec.burst":      {doc: "Of model burst: many operations at once."},
		"LoadSpec.stages":     {doc: "Of model stages: one rate after another, 1 to 64.", most: maxStages},
		"LoadSpec.breakpoint": {doc: "Of model breakpoint: a search from the load's rate upwards."},

		"LoadSpec.rollout": {doc: "Of model rollout: waves, and when to stop."},

		"RolloutSpec.waves":       {doc: "Steps of the rollout, 100 at most. Left out: one wave of everything.", most: maxWaves},
		"RolloutSpec.abort_share": {doc: "Of a wave's finished devices: where so many have failed, the rollout stops. 0: never."},
		"RolloutSpec.abort_least": {doc: "Devices of a wave that must have finished before they are judged in its course: 1 to 1048576. 0: the client's default.", low: "0", high: whole(maxAbortLeast)},
		"RolloutSpec.requeue":     {doc: "Further turns of devices that failed in a way that time may heal."},
		"RequeueSpec.turns":       {doc: "How many a device has, to 1000. 0: the client's default; -1: none.", low: "-1", high: whole(maxTurns)},
		"RequeueSpec.after":       {doc: "The wait before the first of them, doubled before each further one, 24h at most. 0s: the client's default."},
		"WaveSpec.share":          {doc: "Of the fleet, reached when the wave is over: more than the wave before.", above: "0", required: true},
		"WaveSpec.soak":           {doc: "The wait after it, 720h at most."},

		"Header.name":  {doc: "The field's name. Those that the client sets itself can't be had.", pattern: tokenText, required: true},
		"Header.value": {doc: "Its value, where that is no secret."},
		"Header.env":   {doc: "The environment variable that holds the value, which is then written nowhere."},

		"Ramp.to":           {doc: "The rate at its end; may be 0/s."},
		"Spike.rate":        {doc: "The rate while it lasts; may be 0/s."},
		"Spike.at":          {doc: "When it begins, from the beginning of the load."},
		"Spike.for":         {doc: "How long it lasts; it ends within the load's duration."},
		"Burst.size":        {doc: "Operations in a burst: 1 to 16777216.", low: "1", high: whole(maxBurst)},
		"Burst.every":       {doc: "From one burst to the next. 0s: there is one."},
		"Stage.rate":        {doc: "The rate at its beginning; may be 0/s."},
		"Stage.to":          {doc: "The rate at its end. Left out: the same."},
		"Stage.for":         {doc: "How long it lasts.", required: true},
		"Breakpoint.to":     {doc: "The highest rate that is tried."},
		"Breakpoint.probe":  {doc: "How long each rate is tried, 100ms or longer. 0s: 3s."},
		"Breakpoint.within": {doc: "How exactly the limit is wanted, of itself: 0.1% to 50%. 0: 5%.", low: "0.001", high: "0.5", orZero: true},

		"Behavior.latency":     {doc: "From an update's last byte to its answer, 1h at most."},
		"Behavior.fail_first":  {doc: "How many updates, from the first that reaches a device, it answers fail_status and does not apply.", low: "0", high: most},
		"Behavior.fail_status": {doc: "That HTTP status, 400 to 599. 0: 503.", low: "400", high: "599", orZero: true},
		"Behavior.require":     {doc: "Header fields without which a device refuses an update with 400, 8 at most.", most: maxRequired},
		"HeaderField.name":     {doc: "The field's name.", pattern: tokenText, required: true},
		"HeaderField.value":    {doc: "The value that it must have. Empty: any."},
		"Behavior.faults":      {doc: "Further ways to misbehave, 32 at most; docs/faults.md has them all.", most: 32},
		"Behavior.life":        {doc: "What a device goes through after it took an update."},
		"Behavior.network":     {doc: "What lies between a device and its clients."},

		"Life.install": {doc: "How long a device installs, 1h at most: it answers the update 202 and others 409, and shows what it ran before."},
		"Life.reboot":  {doc: "How long it then can't be reached, 1h at most."},

		"Network.rtt":             {doc: "How much later every answer leaves, 1h at most."},
		"Network.bandwidth":       {doc: "Bytes a second that a device reads of a body, such as 20kB/s. 0: as they come."},
		"Network.receive_buffer":  {doc: "Of the socket, in bytes: 1024 to 16777216. 0: the kernel's choice.", low: "1024", high: "16777216", orZero: true},
		"Network.max_connections": {doc: "Connections that a device has open at a time, 1 to 65535; further ones are reset. 0: no limit. Not in path addressing.", low: "0", high: "65535"},
		"Network.max_requests":    {doc: "Requests on a connection before the device closes it: 1 to 1073741824. 0: no limit.", low: "0", high: "1073741824"},
		"Network.http_1_0":        {doc: "The device answers HTTP/1.0 and closes."},

		"Group.name":     {doc: "Its name, which no other group has: 1 to 32 lower-case letters, digits and dashes; not all and not rest.", pattern: `^[a-z0-9][a-z0-9-]{0,31}$`, barred: []any{mockfleet.GroupAll, mockfleet.GroupRest}, required: true},
		"Group.share":    {doc: "Of all devices, above 0.", above: "0", required: true},
		"Group.behavior": {doc: "Of its devices, instead of the fleet's."},
		"Group.tls":      {doc: "How its devices speak TLS, where the fleet does. Empty: as the fleet. Not in path addressing."},

		"Fault.kind":        {doc: "Which fault; docs/faults.md says what each does and takes.", enum: kinds, required: true},
		"Fault.on":          {doc: "Of a fault in answers: those to updates, or those to looks at the version. Empty: update.", enum: []any{"", "update", "version"}},
		"Fault.first":       {doc: "Strikes only the first so many attempts. 0: all.", low: "0", high: most},
		"Fault.share":       {doc: "Strikes this share of the devices. 0: all."},
		"Fault.after_bytes": {doc: "Bytes of the artifact that come in first."},
		"Fault.rate":        {doc: "Bytes a second."},
		"Fault.delay":       {doc: "How long it waits, hangs or lasts, 1h at most; each kind says which."},
		"Fault.status":      {doc: "HTTP status to answer. 0: the kind's own."},
		"Fault.retry_after": {doc: "The Retry-After field with that status: in seconds, or as a date. 1h at most."},
		"Fault.origin":      {doc: "Where a redirect leads: to the same origin or another. Empty: same.", enum: []any{"", "same", "other"}},
	}
}
