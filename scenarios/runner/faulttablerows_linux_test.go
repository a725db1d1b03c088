package runner

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/behavior"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
	"github.com/fleetmark/fleetmark/mockfleet/random"
)

const (
	push   = delivery.OpPush
	verify = delivery.OpVerify

	uploadSize = 64 << 10
	// stallSize is more than the kernel buffers of a connection hold (net.ipv4.tcp_wmem and tcp_rmem).
	stallSize = 12 << 20
)

// once returns a fault that only hits the first attempt.
func once(kind string) fault.Fault { return fault.Fault{Kind: kind, First: 1} }

func always(kind string) fault.Fault { return fault.Fault{Kind: kind} }

// onVersion returns a fault in the answer to the first request for the version.
func onVersion(kind string) fault.Fault {
	return fault.Fault{Kind: kind, First: 1, On: "version"}
}

// midUpload returns a fault that hits the first attempt after 10,000 bytes of the body.
func midUpload(kind string) fault.Fault {
	return fault.Fault{Kind: kind, First: 1, AfterBytes: must(random.FixedInt(10_000))}
}

func lasting(f fault.Fault, d time.Duration) fault.Fault {
	f.Delay = must(random.Fixed(d))
	return f
}

func requests(pushes, verifies int) delivery.Report {
	return delivery.Report{Pushes: pushes, Verifies: verifies}
}

// shortAnswer sets a short timeout for answers, for faults that never answer.
func shortAnswer(c *delivery.Config) {
	c.Timeouts.Answer = faultTimeout
	c.Retry.MaxAttempts = 50
}

func shortDial(c *delivery.Config) {
	c.Timeouts.Dial = faultTimeout
	c.Retry.MaxAttempts = 1000
}

func manyAttempts(c *delivery.Config) { c.Retry.MaxAttempts = 1000 }

func expecting(c *delivery.Config) {
	c.ExpectFrom = 1
	c.Timeouts.Continue = 20 * time.Millisecond
}

// faultRows returns the table: every fault, in one or several variants.
func faultRows() []faultRow {
	rows := connectionRows()
	rows = append(rows, uploadRows()...)
	rows = append(rows, statusRows()...)
	rows = append(rows, redirectRows()...)
	rows = append(rows, answerRows()...)
	rows = append(rows, lifeRows()...)
	return append(rows, tlsRows()...)
}

func connectionRows() []faultRow {
	well := counts{pushes: 1, applied: 1, verifies: 1}
	abortedOnce := counts{aborted: 1, hits: 1}
	again := counts{pushes: 1, applied: 1, verifies: 2, aborted: 1, hits: 1}
	return []faultRow{
		{
			name: "refuse", fault: always("refuse"), config: manyAttempts,
			opClass: delivery.ClassNotSent,
			healed:  true, deliverCounts: well,
		},
		{
			name: "connect-stall", fault: always("connect-stall"), config: shortDial,
			opClass: delivery.ClassTimeout,
			healed:  true, deliverCounts: well,
		},
		{
			name: "flapping", fault: lasting(always("flapping"), time.Hour), config: manyAttempts,
			opClass: delivery.ClassNotSent,
			healed:  true, healedFaults: []fault.Fault{lasting(always("flapping"), time.Millisecond)},
			deliverCounts: well,
		},
		{
			name: "offline", fault: always("offline"), config: givesUp,
			opClass:      delivery.ClassNotSent,
			deliverClass: delivery.ClassNotSent, deliverErrorIs: delivery.ErrRetryBudget,
			deliverRequests: requests(3, 0), check: spared,
		},
		{
			name: "blackhole", fault: once("blackhole"), config: shortAnswer,
			opClass: delivery.ClassTimeout, opCounts: abortedOnce,
			deliverCounts: again, extraRequests: true,
		},
		{
			name: "reset-on-accept", fault: once("reset-on-accept"),
			opClass: delivery.ClassAmbiguous, opCounts: abortedOnce,
			deliverRequests: requests(2, 2), deliverCounts: again,
		},
		{
			name: "close-on-accept", fault: once("close-on-accept"),
			opClass: delivery.ClassAmbiguous, opCounts: abortedOnce,
			deliverRequests: requests(2, 2), deliverCounts: again,
		},
		{
			name: "idle-close", fault: once("idle-close"), warmConnection: true,
			opClass: delivery.ClassAmbiguous, opCounts: counts{verifies: 1, aborted: 1, hits: 1},
			deliverRequests: requests(2, 2),
			deliverCounts:   counts{pushes: 1, applied: 1, verifies: 3, aborted: 1, hits: 1},
		},
		{
			// A verification can be sent again without an error.
			name: "idle-close/verify", fault: once("idle-close"), before: []delivery.Op{push}, op: verify,
			opCounts:        counts{pushes: 1, applied: 1, verifies: 1, aborted: 1, hits: 1},
			deliverRequests: requests(1, 1),
			deliverCounts:   counts{pushes: 1, applied: 1, verifies: 1, aborted: 1, hits: 1},
		},
	}
}

// givesUp sets a budget of two retries, and a breaker that opens at the first failure.
func givesUp(c *delivery.Config) {
	c.Retry.MaxAttempts = 1000
	c.Budget = delivery.RetryBudget{Share: -1, PerSecond: 2. / 3600, TTL: time.Hour}
	c.Breaker = delivery.Breaker{Failures: 1, CoolDown: time.Hour}
}

// spared checks that a device whose breaker is open gets no further request.
func spared(t *testing.T, r *faultClient) {
	dials := r.dials.Load()
	require.EqualValues(t, 3, dials)
	for _, op := range []delivery.Op{push, verify} {
		err := r.do(op)
		require.ErrorIs(t, err, delivery.ErrBreakerOpen)
		require.Equal(t, delivery.ClassNotSent, delivery.ClassOf(err))
	}
	require.Equal(t, dials, r.dials.Load())
	s := r.client.Stats()
	require.Equal(t, []uint64{2, 1, 1, 2}, []uint64{s.Retries, s.RetriesRefused, s.BreakersOpened, s.Spared})
}

func uploadRows() []faultRow {
	well := counts{pushes: 1, applied: 1, verifies: 1}
	broken := counts{pushes: 1, broken: 1, hits: 1}
	again := counts{pushes: 2, applied: 1, broken: 1, verifies: 2, hits: 1}
	hit := func(b counts) counts { b.hits = 1; return b }
	early := func(status int, form string) faultRow {
		f := midUpload("early-4xx")
		f.First, f.Status = 0, status
		return faultRow{
			name: "early-4xx/" + form, fault: f, artifactSize: stallSize,
			opStatus: status, opCounts: counts{pushes: 1, rejected: 1, hits: 1},
			check: stoppedSending,
		}
	}
	refused := early(413, "permanent")
	refused.opClass, refused.deliverClass = delivery.ClassPermanent, delivery.ClassPermanent
	refused.deliverRequests, refused.deliverCounts = requests(1, 0), refused.opCounts
	throttled := early(429, "throttled")
	throttled.fault.First, throttled.check = 1, nil
	throttled.opClass, throttled.deliverRequests = delivery.ClassThrottled, requests(2, 1)
	throttled.deliverCounts = counts{pushes: 2, applied: 1, rejected: 1, verifies: 1, hits: 1}
	return []faultRow{
		{
			name: "reset-mid-upload", fault: midUpload("reset-mid-upload"), artifactSize: uploadSize,
			opClass: delivery.ClassAmbiguous, opCounts: broken,
			deliverRequests: requests(2, 2), deliverCounts: again,
		},
		{
			name: "close-mid-upload", fault: midUpload("close-mid-upload"), artifactSize: uploadSize,
			opClass: delivery.ClassAmbiguous, opCounts: broken,
			deliverRequests: requests(2, 2), deliverCounts: again,
		},
		{
			name: "stall-mid-upload", fault: lasting(midUpload("stall-mid-upload"), time.Hour),
			artifactSize: stallSize, config: shortProgress,
			opClass: delivery.ClassTimeout, opErrorText: "LeastProgress", opCounts: broken,
			deliverCounts: again, extraRequests: true,
		},
		{
			name: "slow-read", fault: fault.Fault{Kind: "slow-read", Rate: must(random.FixedInt(1 << 20))},
			artifactSize:    uploadSize,
			opCounts:        counts{pushes: 1, applied: 1, hits: 1},
			deliverRequests: requests(1, 1), deliverCounts: hit(well),
		},
		refused, throttled,
		{
			name: "no-continue", fault: always("no-continue"), artifactSize: uploadSize, config: expecting,
			opCounts:        counts{pushes: 1, applied: 1, hits: 1},
			deliverRequests: requests(1, 1), deliverCounts: hit(well),
		},
		{
			name: "status-417", fault: always("status-417"), artifactSize: uploadSize, config: expecting,
			opCounts:        counts{pushes: 2, applied: 1, rejected: 1, hits: 1},
			deliverRequests: requests(1, 1),
			deliverCounts:   counts{pushes: 2, applied: 1, rejected: 1, verifies: 1, hits: 1},
		},
		{
			// The fault never hits, since the client sends no chunked body.
			name: "no-chunked", fault: always("no-chunked"), artifactSize: uploadSize,
			opCounts:        counts{pushes: 1, applied: 1},
			deliverRequests: requests(1, 1), deliverCounts: well,
		},
		{
			name: "corrupt", fault: fault.Fault{Kind: "corrupt", AfterBytes: must(random.FixedInt(10_000))},
			artifactSize: uploadSize,
			opClass:      delivery.ClassIntegrity, opStatus: 400, opCounts: counts{pushes: 1, rejected: 1, hits: 1},
			deliverClass: delivery.ClassIntegrity, deliverRequests: requests(1, 0),
			deliverCounts: counts{pushes: 1, rejected: 1, hits: 1},
		},
		{
			name: "duplicate", fault: always("duplicate"), artifactSize: uploadSize,
			opCounts:        counts{pushes: 2, applied: 1, repeats: 1, hits: 1},
			deliverRequests: requests(1, 1),
			deliverCounts:   counts{pushes: 2, applied: 1, repeats: 1, verifies: 1, hits: 1},
		},
	}
}

// shortProgress sets a least progress of one byte a second, which only a device that stopped misses.
func shortProgress(c *delivery.Config) {
	c.Timeouts.LeastProgress = delivery.LeastProgress{PerSecond: 1, Window: faultTimeout}
	c.Retry.MaxAttempts = 50
}

// stoppedSending checks that the client didn't send the rest of the artifact. The lean transport looks
// for an early answer before each piece, and the answer comes before the kernel's buffers could take
// the whole artifact. net/http reads the answer in another goroutine, perhaps after everything was
// sent, so it isn't checked.
func stoppedSending(t *testing.T, r *faultClient) {
	if r.transport == delivery.NetHTTP {
		return
	}
	require.Less(t, r.client.Stats().BytesWritten, uint64(stallSize))
}

func answerRows() []faultRow {
	applied := counts{pushes: 1, applied: 1, hits: 1}
	seen := counts{pushes: 1, applied: 1, verifies: 1, hits: 1}
	rows := []faultRow{
		{
			name: "slow-answer", fault: lasting(always("slow-answer"), 20*time.Millisecond),
			opCounts:        applied,
			deliverRequests: requests(1, 1), deliverCounts: seen,
		},
		{
			name: "drip-answer", fault: lasting(once("drip-answer"), time.Hour), config: shortAnswer,
			opClass: delivery.ClassTimeout, opCounts: applied,
			deliverCounts: seen, extraRequests: true,
		},
		{
			name: "http-1.0", fault: always("http-1.0"),
			opCounts:        applied,
			deliverRequests: requests(1, 1), deliverCounts: seen,
			check: func(t *testing.T, r *faultClient) { require.EqualValues(t, 2, r.dials.Load()) },
		},
		{
			name: "applied-but-lost", fault: always("applied-but-lost"),
			opClass: delivery.ClassAmbiguous, opCounts: applied,
			deliverRequests: requests(1, 1), deliverCounts: seen,
		},
		{
			name: "ok-but-not-applied", fault: always("ok-but-not-applied"), before: []delivery.Op{push},
			op:      verify,
			opClass: delivery.ClassIntegrity, opStatus: 200, opErrorIs: delivery.ErrLacksUpdate,
			opCounts:     counts{pushes: 1, falseAcks: 1, verifies: 1, hits: 1},
			deliverClass: delivery.ClassIntegrity, deliverErrorIs: delivery.ErrLacksUpdate,
			deliverRequests: requests(1, 1),
			deliverCounts:   counts{pushes: 1, falseAcks: 1, verifies: 1, hits: 1},
		},
	}
	for _, told := range []struct {
		kind string
		is   error
	}{{"wrong-version", delivery.ErrLacksUpdate}, {"wrong-digest", delivery.ErrWrongDigest},
		{"wrong-device", delivery.ErrWrongDevice}} {
		rows = append(rows, faultRow{
			name: told.kind, fault: always(told.kind), before: []delivery.Op{push}, op: verify,
			opClass: delivery.ClassIntegrity, opStatus: 200, opErrorIs: told.is, opCounts: seen,
			deliverClass: delivery.ClassIntegrity, deliverErrorIs: told.is, deliverRequests: requests(1, 1),
			deliverCounts: seen,
		})
	}
	for _, bad := range []struct {
		kind   string
		status int // in the error
		form   string
		config func(*delivery.Config)
	}{
		{kind: "truncated-body"}, {kind: "truncated-json", status: 200}, {kind: "wrong-content-type", status: 200},
		{kind: "garbage"}, {kind: "header-flood"}, {kind: "endless-body"}, {kind: "gzip-bomb"},
		{kind: "gzip-bomb", status: 200, form: "/read",
			// This is enough for the compressed answer, which the client doesn't unpack.
			config: func(c *delivery.Config) { c.MaxAnswer = 2 << 20 }},
	} {
		rows = append(rows, faultRow{
			name: bad.kind + bad.form, fault: always(bad.kind), config: bad.config,
			opClass: delivery.ClassProtocol, opStatus: bad.status, opCounts: applied,
			deliverRequests: requests(1, 1), deliverCounts: seen,
		}, faultRow{
			name: bad.kind + bad.form + "/version", fault: onVersion(bad.kind), config: bad.config,
			before: []delivery.Op{push}, op: verify,
			opClass: delivery.ClassProtocol, opStatus: bad.status, opCounts: seen,
			deliverRequests: requests(1, 2), deliverCounts: counts{pushes: 1, applied: 1, verifies: 2, hits: 1},
		})
	}
	return rows
}

func lifeRows() []faultRow {
	applied := counts{pushes: 1, applied: 1, hits: 1}
	return []faultRow{
		{
			name: "reboot", fault: lasting(always("reboot"), time.Hour),
			opClass: delivery.ClassPending, opStatus: 202, opCounts: applied,
			healed: true, deliverCounts: counts{pushes: 1, applied: 1, verifies: 2, hits: 1},
		},
		{
			// Installing may succeed the next time, so the client pushes again.
			name: "failed-install", fault: lasting(always("failed-install"), 20*time.Millisecond),
			opClass: delivery.ClassPending, opStatus: 202,
			opCounts:     counts{pushes: 1, installFailures: 1, hits: 1},
			deliverClass: delivery.ClassIntegrity, deliverErrorIs: delivery.ErrDeviceFailed,
			deliverCounts: counts{pushes: 3, installFailures: 3, verifies: 3, hits: 3}, extraRequests: true,
		},
		{
			name: "rollback", fault: always("rollback"),
			config: func(c *delivery.Config) { c.Retry.GoodReads = 2 }, before: []delivery.Op{push, verify},
			op:      verify,
			opClass: delivery.ClassIntegrity, opStatus: 200, opErrorIs: delivery.ErrLacksUpdate,
			opCounts:     counts{pushes: 1, applied: 1, verifies: 2, hits: 1},
			deliverClass: delivery.ClassIntegrity, deliverErrorIs: delivery.ErrRolledBack,
			deliverRequests: requests(1, 2), deliverCounts: counts{pushes: 1, applied: 1, verifies: 2, hits: 1},
		},
	}
}

func tlsRows() []faultRow {
	rows := []faultRow{{
		name: "tls-stall", tls: behavior.TLSStall, config: func(c *delivery.Config) {
			c.Timeouts.TLS = faultTimeout
			c.Retry.MaxAttempts = 2
		},
		opClass:      delivery.ClassTimeout,
		deliverClass: delivery.ClassTimeout, deliverRequests: requests(2, 0), check: neverAsked,
	}, {
		// A device with a good certificate succeeds with the same configuration.
		name: "tls-expired/good", tls: behavior.TLSGood,
		opCounts:        counts{pushes: 1, applied: 1},
		deliverRequests: requests(1, 1), deliverCounts: counts{pushes: 1, applied: 1, verifies: 1},
	}}
	for _, bad := range []struct {
		name string
		mode behavior.TLSMode
		says string
	}{
		{"tls-expired", behavior.TLSExpired, "expired"},
		{"tls-wrong-name", behavior.TLSWrongName, "doesn't contain any IP SANs"},
		{"tls-unknown-ca", behavior.TLSUnknownCA, "unknown authority"}, {"tls-1.1", behavior.TLS11, "protocol version"},
	} {
		rows = append(rows, faultRow{
			name: bad.name, tls: bad.mode,
			opClass: delivery.ClassPermanent, opErrorText: bad.says,
			deliverClass: delivery.ClassPermanent, deliverRequests: requests(1, 0), check: neverAsked,
		})
	}
	return rows
}

// neverAsked checks that a device that isn't trusted received no request.
func neverAsked(t *testing.T, r *faultClient) { require.Zero(t, r.fleet.Status().Requests) }
