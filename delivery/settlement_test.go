package delivery

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Results of requests.
var (
	acceptedPush, rightLook *Error // nil: it is as it should be

	taken      = Error{Class: ClassPending, Status: 202, sent: true}
	busyPush   = Error{Class: ClassConflict, Status: 409, sent: true}
	unsent     = Error{Class: ClassNotSent}
	dialSlow   = Error{Class: ClassTimeout}
	throttled  = Error{Class: ClassThrottled, Status: 503, sent: true}
	answerLost = Error{Class: ClassAmbiguous, sent: true}
	answerLate = Error{Class: ClassTimeout, sent: true}
	error500   = Error{Class: ClassAmbiguous, Status: 500, sent: true}
	garbled    = Error{Class: ClassProtocol, Status: 200, sent: true}
	rejected   = Error{Class: ClassRefused, Status: 200, sent: true}
	notFound   = Error{Class: ClassPermanent, Status: 404, sent: true}
	canceled   = Error{Class: ClassCanceled}
	lacks      = Error{Class: ClassIntegrity, Status: 200, sent: true, Err: ErrLacksUpdate}
	installBad = Error{Class: ClassIntegrity, Status: 200, sent: true, Err: ErrDeviceFailed}
	otherBytes = Error{Class: ClassIntegrity, Status: 200, sent: true, Err: ErrWrongDigest}
	installs   = Error{Class: ClassPending, Status: 200, sent: true}
)

// settle returns the settlement, and its last action, after requests that ended with these errors,
// one a second.
func settle(t *testing.T, retry Retry, requests ...*Error) (*settlement, action) {
	t.Helper()
	s := &settlement{retry: retry}
	a, now := s.begin(), time.Unix(1e9, 0)
	for i, e := range requests {
		require.NotEqual(t, stepEnd, a.do, "ended before request %d", i+1)
		now = now.Add(a.after + time.Second)
		if e != nil {
			copied := *e // an error may be completed
			e = &copied
		}
		a = s.next(e, now, false)
	}
	return s, a
}

// String describes an action in the words of the table.
func (a action) String() string {
	switch {
	case a.do == stepEnd && a.err == nil:
		return "the delivery is done"
	case a.do == stepEnd:
		return "the delivery fails"
	case a.retries != nil:
		return a.do.String() + " after backing off"
	case a.after > 0:
		return a.do.String() + " after Poll"
	}
	return a.do.String() + " at once"
}

func (s step) String() string { return []string{"push", "look", "end"}[s] }

func (s state) String() string { return []string{"push", "check", "poll"}[s] }

// TestSettlementTable checks every row of the table in settlement's comment.
func TestSettlementTable(t *testing.T) {
	source, err := os.ReadFile("settlement.go")
	require.NoError(t, err)
	row := regexp.MustCompile(`(?m)^//\s+(\d+)  (push|check|poll|any look)\s+(\S.*?)\s{2,}(\S.*?)(?:\s{2,}(push|check|poll|the same))?$`)
	rows := row.FindAllStringSubmatch(string(source), -1)
	require.Len(t, rows, 15)

	inCheck, inPoll := []*Error{acceptedPush}, []*Error{acceptedPush, &installs}
	unknownCheck, unknownPoll := []*Error{&answerLost}, []*Error{&answerLost, &installs}
	type request struct {
		before []*Error
		it     *Error
	}
	first := func(all ...*Error) (list []request) {
		for _, e := range all {
			list = append(list, request{it: e})
		}
		return list
	}
	after := func(it *Error, before ...[]*Error) (list []request) {
		for _, b := range before {
			list = append(list, request{b, it})
		}
		return list
	}
	join := func(lists ...[]request) (list []request) {
		for _, l := range lists {
			list = append(list, l...)
		}
		return list
	}
	cases := map[int][]request{
		1: first(acceptedPush),
		2: first(&taken),
		3: first(&busyPush),
		4: first(&unsent, &dialSlow, &throttled),
		5: first(&answerLost, &answerLate, &error500, &garbled),
		6: first(&rejected),
		7: first(&notFound, &otherBytes, &canceled),
		8: after(rightLook, inCheck, unknownCheck, []*Error{&busyPush}, []*Error{&rejected}, // once is enough
			[]*Error{acceptedPush, &installs, rightLook}, []*Error{&taken, rightLook},
			[]*Error{acceptedPush, &unsent, rightLook}),
		9: after(rightLook, inPoll, unknownPoll, []*Error{&taken}, []*Error{acceptedPush, &unsent},
			[]*Error{&answerLost, &answerLost}),
		10: join(after(&lacks, unknownCheck, unknownPoll, []*Error{&busyPush}, []*Error{&taken}, []*Error{&taken, &installs}),
			after(&installBad, unknownCheck, unknownPoll, []*Error{&taken})),
		11: join(after(&lacks, inCheck, inPoll, []*Error{&taken, rightLook}, []*Error{&answerLost, &installs, rightLook},
			[]*Error{&rejected}), // it said why
			after(&installBad, inCheck, inPoll), after(&otherBytes, inCheck, inPoll, unknownCheck, unknownPoll),
			after(&notFound, inCheck, inPoll, unknownCheck, unknownPoll)),
		12: after(&installs, inCheck, inPoll, unknownCheck, unknownPoll, []*Error{&busyPush}),
		13: join(after(&unsent, inCheck, []*Error{&taken}), after(&answerLost, inCheck), after(&answerLate, inCheck)),
		14: join(after(&error500, inPoll, unknownPoll), after(&throttled, inPoll), after(&garbled, inPoll),
			after(&unsent, unknownPoll)),
		15: join(after(&error500, inCheck, unknownCheck), after(&throttled, inCheck), after(&garbled, inCheck),
			after(&unsent, unknownCheck), after(&answerLost, unknownCheck), after(&answerLate, []*Error{&busyPush})),
	}
	retry := Retry{}.withDefaults()
	for i, row := range rows {
		number, from, what, want, to := row[1], row[2], row[3], row[4], row[5]
		require.Equal(t, strconv.Itoa(i+1), number)
		require.NotEmpty(t, cases[i+1])
		froms := map[state]bool{}
		for j, r := range cases[i+1] {
			t.Run(fmt.Sprintf("%s %s/%d", number, what, j+1), func(t *testing.T) {
				s, _ := settle(t, retry, r.before...)
				was := s.state
				froms[was] = true
				s, a := settle(t, retry, append(r.before, r.it)...)
				require.Equal(t, want, a.String())
				switch from {
				case "any look":
					require.NotEqual(t, statePush, was)
				default:
					require.Equal(t, from, was.String())
				}
				switch {
				case a.do == stepEnd:
					require.Empty(t, to)
				case to == "the same":
					require.Equal(t, was, s.state)
				default:
					require.Equal(t, to, s.state.String())
				}
			})
		}
		if from == "any look" {
			require.Equal(t, map[state]bool{stateCheck: true, statePoll: true}, froms, "row %s", number)
		}
	}
}

// TestSettlementBounds checks how long repeated states last, and how they end.
func TestSettlementBounds(t *testing.T) {
	retry := Retry{MaxAttempts: 3, GoodReads: 2, Poll: 4 * time.Second, PollFor: 15 * time.Second,
		Cap: time.Minute}.withDefaults()
	repeat := func(n int, e *Error) (list []*Error) {
		for range n {
			list = append(list, e)
		}
		return list
	}
	asksForAPause := throttled
	asksForAPause.RetryAfter = 10 * time.Second
	asksForAnHour := throttled
	asksForAnHour.RetryAfter = time.Hour
	for name, row := range map[string]struct {
		requests []*Error
		want     string
		class    Class
		after    time.Duration
	}{
		"pushes go on":      {repeat(2, &unsent), "push after backing off", 0, 0},
		"up to MaxAttempts": {repeat(3, &unsent), "the delivery fails", ClassNotSent, 0},
		"those after a look as well": {[]*Error{&answerLost, &lacks, &answerLost, &lacks, &answerLost, &lacks},
			"the delivery fails", ClassAmbiguous, 0},
		"after 202 the last look says why": {[]*Error{&taken, &installBad, &taken, &installBad, &taken, &installBad},
			"the delivery fails", ClassIntegrity, 0},
		"looks that fail go on": {[]*Error{acceptedPush, &error500, &error500}, "look after backing off", 0, 0},
		"up to MaxAttempts too": {[]*Error{acceptedPush, &error500, &error500, &error500},
			"the delivery fails", ClassAmbiguous, 0},
		"which a right one doesn't begin": {[]*Error{acceptedPush, &error500, &error500, rightLook, &error500},
			"the delivery fails", ClassAmbiguous, 0},
		"a further push does": {[]*Error{&answerLost, &error500, &error500, &lacks, &answerLost, &error500,
			&error500}, "look after backing off", 0, 0},
		"GoodReads in a row": {[]*Error{acceptedPush, rightLook, rightLook}, "the delivery is done", 0, 0},
		"not with another in between": {[]*Error{acceptedPush, rightLook, &error500, rightLook}, "look after Poll",
			0, 4 * time.Second},
		"who ran it may be rebooting": {[]*Error{&answerLost, rightLook, &unsent}, "look after Poll", 0,
			4 * time.Second},
		"polls wait": {[]*Error{acceptedPush, &installs}, "look after Poll", 0, 4 * time.Second},
		"as long as the device asks": {[]*Error{acceptedPush, &installs, &asksForAPause}, "look after Poll", 0,
			10 * time.Second},
		"within Cap": {[]*Error{acceptedPush, &installs, &asksForAnHour}, "look after Poll", 0,
			time.Minute},
		"polls go on": {append([]*Error{acceptedPush}, repeat(3, &installs)...), "look after Poll",
			0, 4 * time.Second}, // 1, 6, 11 s
		"for PollFor": {append([]*Error{acceptedPush}, repeat(4, &installs)...),
			"the delivery fails", ClassPending, 0}, // 16 s
		"who doesn't come back is pending": {append([]*Error{acceptedPush}, repeat(4, &unsent)...), "the delivery fails",
			ClassPending, 0},
		"who answers otherwise isn't": {[]*Error{acceptedPush, &installs, &installs, &installs, &error500},
			"the delivery fails", ClassAmbiguous, 0},
		"a lost answer stays unknown": {append([]*Error{&answerLate}, repeat(3, &unsent)...), "the delivery fails",
			ClassTimeout, 0},
		"after 409 nobody has the update": {append([]*Error{&busyPush}, repeat(3, &unsent)...), "the delivery fails",
			ClassNotSent, 0},
		"a refusal is the device's own word": {append([]*Error{&rejected}, repeat(3, &error500)...), "the delivery fails",
			ClassRefused, 0},
		"unless it runs something else": {[]*Error{&rejected, &otherBytes}, "the delivery fails", ClassIntegrity, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, a := settle(t, retry, row.requests...)
			require.Equal(t, row.want, a.String())
			require.Equal(t, row.after, a.after)
			if row.class != 0 {
				require.Equal(t, row.class, a.err.Class)
			}
		})
	}
}

// TestRolledBack checks that a device that ran the update, and then doesn't, is reported as rolled
// back.
func TestRolledBack(t *testing.T) {
	retry := Retry{GoodReads: 3}.withDefaults()
	_, a := settle(t, retry, acceptedPush, rightLook, &lacks)
	require.ErrorIs(t, a.err.Err, ErrRolledBack)
	_, a = settle(t, retry, &answerLost, rightLook, &installs, &lacks)
	require.ErrorIs(t, a.err.Err, ErrRolledBack)
	_, a = settle(t, retry, &answerLost, &lacks, &answerLost, &lacks) // a look before the last push doesn't count
	require.NotErrorIs(t, a.retries.Err, ErrRolledBack)
}

// FuzzSettlement checks, for any answers of a device, that a delivery pushes no more often than
// MaxAttempts, never pushes after the device said that it has the update, and succeeds only if the
// device's last answers were right.
func FuzzSettlement(f *testing.F) {
	all := []*Error{acceptedPush, &taken, &busyPush, &unsent, &dialSlow, &throttled, &answerLost, &answerLate, &error500,
		&garbled,
		&rejected, &notFound, &canceled, &lacks, &installBad, &otherBytes, &installs}
	f.Add([]byte{6, 13, 6, 13, 0, 0}, uint8(2), uint8(1))
	f.Add([]byte{1, 16, 16, 0, 0}, uint8(4), uint8(2))
	f.Add([]byte{0, 3, 3, 0, 13}, uint8(4), uint8(1))
	f.Fuzz(func(t *testing.T, requests []byte, attempts, reads uint8) {
		retry := Retry{MaxAttempts: int(attempts), GoodReads: int(reads), PollFor: 20 * time.Second}.withDefaults()
		s := settlement{retry: retry}
		a, now := s.begin(), time.Unix(1e9, 0)
		pushes, right, said := 0, 0, false
		for _, b := range requests {
			var e *Error
			if it := all[int(b)%len(all)]; it != nil {
				copied := *it
				e = &copied
			}
			switch a.do {
			case stepPush:
				require.False(t, said, "pushed to a device that said that it has the update")
				pushes++
				right, said = 0, e == nil
			case stepLook:
				if right++; e != nil {
					right = 0
				}
			case stepEnd:
				require.LessOrEqual(t, pushes, retry.MaxAttempts)
				if a.err == nil {
					require.GreaterOrEqual(t, right, retry.GoodReads)
				}
				return
			}
			now = now.Add(a.after + time.Second)
			a = s.next(e, now, false)
		}
	})
}
