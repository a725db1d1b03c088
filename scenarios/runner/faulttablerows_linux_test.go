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
	// stallSize is more than the kernel keeps for a connection (net.ipv4.tcp_wmem and tcp_rmem).
	stallSize = 12 << 20
)

// once is a fault that strikes the first attempt alone.
func once(kind string) fault.Fault { return fault.Fault{Kind: kind, First: 1} }

func always(kind string) fault.Fault { return fault.Fault{Kind: kind} }

// onVersion is one in the answer to the first look at the version.
func onVersion(kind string) fault.Fault {
	return fault.Fault{Kind: kind, First: 1, On: "version"}
}

// midUpload strikes when a few bytes of the body have come.
func midUpload(kind string) fault.Fault {
	return fault.Fault{Kind: kind, First: 1, AfterBytes: must(random.FixedInt(10_000))}
}

func lasting(f fault.Fault, d time.Duration) fault.Fault {
	f.Delay = must(random.Fixed(d))
	return f
}

func did(pushes, verifies int) delivery.Report {
	return delivery.Report{Pushes: pushes, Verifies: verifies}
}

// shortAnswer is for answers that never come.
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

// faultRows is the table: the rows of FAULTS.md, each in one form or several.
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
	well := books{pushes: 1, applied: 1, verifies: 1}
	abortedOnce := books{aborted: 1, hits: 1}
	again := books{pushes: 1, applied: 1, verifies: 2, aborted: 1, hits: 1}
	return []faultRow{
		{
			name: "refuse", fault: always("refuse"), config: manyAttempts, class: delivery.ClassNotSent,
			healed: true, then: well,
		},
		{
			name: "connect-stall", fault: always("connect-stall"), config: shortDial, class: delivery.ClassTimeout,
			healed: true, then: well,
		},
		{
			name: "flapping", fault: lasting(always("flapping"), time.Hour), config: manyAttempts, class: delivery.ClassNotSent,
			healed: true, heal: []fault.Fault{lasting(always("flapping"), time.Millisecond)}, then: well,
		},
		{
			name: "offline", fault: always("offline"), config: givesUp, class: delivery.ClassNotSent,
			ends: delivery.ClassNotSent, endsIs: delivery.ErrRetryBudget, tries: did(3, 0), also: spared,
		},
		{
			name: "blackhole", fault: once("blackhole"), config: shortAnswer, class: delivery.ClassTimeout,
			first: abortedOnce, then: again, busy: true,
		},
		{
			name: "reset-on-accept", fault: once("reset-on-accept"), class: delivery.ClassAmbiguous,
			first: abortedOnce, tries: did(2, 2), then: again,
		},
		{
			name: "close-on-accept", fault: once("close-on-accept"), class: delivery.ClassAmbiguous,
			first: abortedOnce, tries: did(2, 2), then: again,
		},
		{
			name: "idle-close", fault: once("idle-close"), warm: true, class: delivery.ClassAmbiguous,
			first: books{verifies: 1, aborted: 1, hits: 1},
			tries: did(2, 2), then: books{pushes: 1, applied: 1, verifies: 3, aborted: 1, hits: 1},
		},
		{ // a question may be sent again: nobody sees it
			name: "idle-close/verify", fault: once("idle-close"), before: []delivery.Op{push}, op: verify,
			first: books{pushes: 1, applied: 1, verifies: 1, aborted: 1, hits: 1},
			tries: did(1, 1), then: books{pushes: 1, applied: 1, verifies: 1, aborted: 1, hits: 1},
		},
	}
}

// givesUp is a budget of two retries, and a breaker that opens at once.
func givesUp(c *delivery.Config) {
	c.Retry.MaxAttempts = 1000
	c.Budget = delivery.RetryBudget{Share: -1, PerSecond: 2. / 3600, TTL: time.Hour}
	c.Breaker = delivery.Breaker{Failures: 1, CoolDown: time.Hour}
}

// spared sees that a device which is gone isn't asked again.
func spared(t *testing.T, r *trip) {
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
	well := books{pushes: 1, applied: 1, verifies: 1}
	broken := books{pushes: 1, broken: 1, hits: 1}
	again := books{pushes: 2, applied: 1, broken: 1, verifies: 2, hits: 1}
	hit := func(b books) books { b.hits = 1; return b }
	early := func(status int, form string) faultRow {
		f := midUpload("early-4xx")
		f.First, f.Status = 0, status
		return faultRow{
			name: "early-4xx/" + form, fault: f, artifact: stallSize, status: status,
			first: books{pushes: 1, rejected: 1, hits: 1}, also: stoppedSending,
		}
	}
	refused := early(413, "permanent")
	refused.class, refused.ends, refused.tries, refused.then = delivery.ClassPermanent, delivery.ClassPermanent, did(1,
		0), refused.first
	throttled := early(429, "throttled")
	throttled.fault.First, throttled.also = 1, nil
	throttled.class, throttled.tries, throttled.then = delivery.ClassThrottled, did(2, 1), books{pushes: 2, applied: 1,
		rejected: 1, verifies: 1, hits: 1}
	return []faultRow{
		{
			name: "reset-mid-upload", fault: midUpload("reset-mid-upload"), artifact: uploadSize, class: delivery.ClassAmbiguous,
			first: broken, tries: did(2, 2), then: again,
		},
		{
			name: "close-mid-upload", fault: midUpload("close-mid-upload"), artifact: uploadSize, class: delivery.ClassAmbiguous,
			first: broken, tries: did(2, 2), then: again,
		},
		{
			name: "stall-mid-upload", fault: lasting(midUpload("stall-mid-upload"), time.Hour), artifact: stallSize,
			config: shortProgress,
			class:  delivery.ClassTimeout, says: "LeastProgress", first: broken, then: again, busy: true,
		},
		{
			name:     "slow-read",
			fault:    fault.Fault{Kind: "slow-read", Rate: must(random.FixedInt(1 << 20))},
			artifact: uploadSize, first: books{pushes: 1, applied: 1, hits: 1}, tries: did(1, 1), then: hit(well),
		},
		refused, throttled,
		{
			name: "no-continue", fault: always("no-continue"), artifact: uploadSize, config: expecting,
			first: books{pushes: 1, applied: 1, hits: 1}, tries: did(1, 1), then: hit(well),
		},
		{
			name: "status-417", fault: always("status-417"), artifact: uploadSize, config: expecting,
			first: books{pushes: 2, applied: 1, rejected: 1, hits: 1},
			tries: did(1, 1), then: books{pushes: 2, applied: 1, rejected: 1, verifies: 1, hits: 1},
		},
		{ // it never strikes: no body is chunked
			name: "no-chunked", fault: always("no-chunked"), artifact: uploadSize,
			first: books{pushes: 1, applied: 1}, tries: did(1, 1), then: well,
		},
		{
			name: "corrupt", fault: fault.Fault{Kind: "corrupt", AfterBytes: must(random.FixedInt(10_000))},
			artifact: uploadSize,
			class:    delivery.ClassIntegrity, status: 400, first: books{pushes: 1, rejected: 1, hits: 1},
			ends: delivery.ClassIntegrity, tries: did(1, 0), then: books{pushes: 1, rejected: 1, hits: 1},
		},
		{
			name: "duplicate", fault: always("duplicate"), artifact: uploadSize,
			first: books{pushes: 2, applied: 1, repeats: 1, hits: 1},
			tries: did(1, 1), then: books{pushes: 2, applied: 1, repeats: 1, verifies: 1, hits: 1},
		},
	}
}

// shortProgress wants no more than a byte, so that it is the device that stopped and not the machine.
func shortProgress(c *delivery.Config) {
	c.Timeouts.LeastProgress = delivery.LeastProgress{PerSecond: 1, Window: faultTimeout}
	c.Retry.MaxAttempts = 50
}

// stoppedSending sees that the rest of the artifact stayed where it was. The lean transport looks before every
// piece, and the answer comes while less is under way than the kernel keeps; net/http stops when one of its
// goroutines has read the answer, which may be when another has sent it all.
func stoppedSending(t *testing.T, r *trip) {
	if r.transport == delivery.NetHTTP {
		return
	}
	require.Less(t, r.client.Stats().BytesWritten, uint64(stallSize))
}

func answerRows() []faultRow {
	applied := books{pushes: 1, applied: 1, hits: 1}
	seen := books{pushes: 1, applied: 1, verifies: 1, hits: 1}
	rows := []faultRow{
		{
			name: "slow-answer", fault: lasting(always("slow-answer"), 20*time.Millisecond),
			first: applied, tries: did(1, 1), then: seen,
		},
		{
			name: "drip-answer", fault: lasting(once("drip-answer"), time.Hour), config: shortAnswer,
			class: delivery.ClassTimeout,
			first: applied, then: seen, busy: true,
		},
		{
			name: "http-1.0", fault: always("http-1.0"), first: applied, tries: did(1, 1), then: seen,
			also: func(t *testing.T, r *trip) { require.EqualValues(t, 2, r.dials.Load()) },
		},
		{
			name: "applied-but-lost", fault: always("applied-but-lost"), class: delivery.ClassAmbiguous,
			first: applied, tries: did(1, 1), then: seen,
		},
		{
			name: "ok-but-not-applied", fault: always("ok-but-not-applied"), before: []delivery.Op{push}, op: verify,
			class: delivery.ClassIntegrity, status: 200, is: delivery.ErrLacksUpdate,
			first: books{pushes: 1, falseAcks: 1, verifies: 1, hits: 1},
			ends:  delivery.ClassIntegrity, endsIs: delivery.ErrLacksUpdate, tries: did(1, 1),
			then: books{pushes: 1, falseAcks: 1, verifies: 1, hits: 1},
		},
	}
	for _, told := range []struct {
		kind string
		is   error
	}{{"wrong-version", delivery.ErrLacksUpdate}, {"wrong-digest", delivery.ErrWrongDigest},
		{"wrong-device", delivery.ErrWrongDevice}} {
		rows = append(rows, faultRow{
			name: told.kind, fault: always(told.kind), before: []delivery.Op{push}, op: verify,
			class: delivery.ClassIntegrity, status: 200, is: told.is, first: seen,
			ends: delivery.ClassIntegrity, endsIs: told.is, tries: did(1, 1), then: seen,
		})
	}
	for _, bad := range []struct {
		kind   string
		status int // that comes through to the error
		form   string
		config func(*delivery.Config)
	}{
		{kind: "truncated-body"}, {kind: "truncated-json", status: 200}, {kind: "wrong-content-type", status: 200},
		{kind: "garbage"}, {kind: "header-flood"}, {kind: "endless-body"}, {kind: "gzip-bomb"},
		{kind: "gzip-bomb", status: 200, form: "/read",
			config: func(c *delivery.Config) { c.MaxAnswer = 2 << 20 }}, // and not opened
	} {
		rows = append(rows, faultRow{
			name: bad.kind + bad.form, fault: always(bad.kind), config: bad.config, class: delivery.ClassProtocol,
			status: bad.status,
			first:  applied, tries: did(1, 1), then: seen,
		}, faultRow{
			name: bad.kind + bad.form + "/version", fault: onVersion(bad.kind), config: bad.config,
			before: []delivery.Op{push}, op: verify, class: delivery.ClassProtocol, status: bad.status, first: seen,
			tries: did(1, 2), then: books{pushes: 1, applied: 1, verifies: 2, hits: 1},
		})
	}
	return rows
}

func lifeRows() []faultRow {
	applied := books{pushes: 1, applied: 1, hits: 1}
	return []faultRow{
		{
			name: "reboot", fault: lasting(always("reboot"), time.Hour), class: delivery.ClassPending, status: 202,
			first:  applied,
			healed: true, then: books{pushes: 1, applied: 1, verifies: 2, hits: 1},
		},
		{
			name: "failed-install", fault: lasting(always("failed-install"), 20*time.Millisecond),
			class: delivery.ClassPending, status: 202,
			first: books{pushes: 1, installFailures: 1, hits: 1}, busy: true,
			ends: delivery.ClassIntegrity, endsIs: delivery.ErrDeviceFailed,
			then: books{pushes: 3, installFailures: 3, verifies: 3, hits: 3}, // it may fit the next time
		},
		{
			name: "rollback", fault: always("rollback"), config: func(c *delivery.Config) { c.Retry.GoodReads = 2 },
			before: []delivery.Op{push, verify}, op: verify, class: delivery.ClassIntegrity, status: 200,
			is:    delivery.ErrLacksUpdate,
			first: books{pushes: 1, applied: 1, verifies: 2, hits: 1},
			ends:  delivery.ClassIntegrity, endsIs: delivery.ErrRolledBack, tries: did(1, 2),
			then: books{pushes: 1, applied: 1, verifies: 2, hits: 1},
		},
	}
}

func tlsRows() []faultRow {
	rows := []faultRow{{
		name: "tls-stall", tls: behavior.TLSStall, config: func(c *delivery.Config) {
			c.Timeouts.TLS = faultTimeout
			c.Retry.MaxAttempts = 2
		},
		class: delivery.ClassTimeout, ends: delivery.ClassTimeout, tries: did(2, 0), also: neverAsked,
	}, { // and with the same trust, a device that is as it should be
		name: "tls-expired/good", tls: behavior.TLSGood, first: books{pushes: 1, applied: 1}, tries: did(1, 1),
		then: books{pushes: 1, applied: 1, verifies: 1},
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
			name: bad.name, tls: bad.mode, class: delivery.ClassPermanent, says: bad.says,
			ends: delivery.ClassPermanent, tries: did(1, 0), also: neverAsked,
		})
	}
	return rows
}

// neverAsked sees that a device which wasn't trusted was sent nothing.
func neverAsked(t *testing.T, r *trip) { require.Zero(t, r.fleet.Status().Requests) }
