package runner

import (
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

func statusRows() (rows []faultRow) {
	rejected := books{pushes: 1, rejected: 1, hits: 1}
	for _, status := range []int{400, 401, 403, 404, 413, 415, 422} {
		name := "status-" + strconv.Itoa(status)
		rows = append(rows, faultRow{
			name: name, fault: always(name), class: delivery.ClassPermanent, status: status, first: rejected,
			ends: delivery.ClassPermanent, tries: did(1, 0), then: rejected,
		})
	}
	rows = append(rows, faultRow{
		name: "status-400/by number", fault: fault.Fault{Kind: "status", Status: 400},
		class: delivery.ClassPermanent, status: 400, first: rejected,
		ends: delivery.ClassPermanent, tries: did(1, 0), then: rejected,
	})
	rows = append(rows, faultRow{
		name: "status-409", fault: once("status-409"), class: delivery.ClassConflict, status: 409, first: rejected,
		tries: did(2, 2), then: books{pushes: 2, applied: 1, rejected: 1, verifies: 2, hits: 1},
	})
	for _, status := range []int{408, 500, 502, 504} {
		name := "status-" + strconv.Itoa(status)
		rows = append(rows, faultRow{
			name: name, fault: once(name), class: delivery.ClassAmbiguous, status: status, first: rejected,
			tries: did(2, 2), then: books{pushes: 2, applied: 1, rejected: 1, verifies: 2, hits: 1},
		}, faultRow{
			name: name + "/for good", fault: always(name), class: delivery.ClassAmbiguous, status: status, first: rejected,
			ends: delivery.ClassAmbiguous, tries: did(3, 3), then: books{pushes: 3, rejected: 3, verifies: 3, hits: 3},
		})
	}
	for _, status := range []int{413, 429, 503} {
		name := "status-" + strconv.Itoa(status)
		for _, asked := range []struct {
			form  string
			after fault.RetryAfter
		}{
			{"/seconds", fault.RetryAfter{After: time.Hour}}, {"/date", fault.RetryAfter{After: time.Hour, Date: true}}, {},
		} {
			if status == 413 && asked.form == "" {
				continue // that is one for good
			}
			f := once(name)
			f.RetryAfter = asked.after
			rows = append(rows, faultRow{
				name: name + asked.form, fault: f, class: delivery.ClassThrottled, status: status, after: asked.after.After,
				first: rejected,
				tries: did(2, 1), then: books{pushes: 2, applied: 1, rejected: 1, verifies: 1, hits: 1},
			})
		}
	}
	return append(rows, faultRow{
		name: "status-202", fault: lasting(always("status-202"), 20*time.Millisecond),
		class: delivery.ClassPending, status: 202, first: books{pushes: 1, applied: 1, hits: 1},
		then: books{pushes: 1, applied: 1, verifies: 2, hits: 1}, busy: true, // it is asked until it has installed
	})
}

func redirectRows() (rows []faultRow) {
	rejected := books{pushes: 1, rejected: 1, hits: 1}
	refused := func(status int, form, origin, says string) faultRow {
		name := "redirect-" + strconv.Itoa(status)
		return faultRow{
			name: name + form, fault: fault.Fault{Kind: name, Origin: origin},
			class: delivery.ClassPermanent, status: status, says: says, first: rejected,
			ends: delivery.ClassPermanent, tries: did(1, 0), then: rejected,
		}
	}
	for _, status := range []int{301, 302, 303} {
		rows = append(rows, refused(status, "", "", "redirect refused"))
	}
	for _, status := range []int{307, 308} {
		name := "redirect-" + strconv.Itoa(status)
		rows = append(rows, refused(status, "/other origin", "other", "another origin"), faultRow{
			name: name, fault: always(name), first: books{pushes: 2, applied: 1, rejected: 1, hits: 1},
			tries: did(1, 1), then: books{pushes: 2, applied: 1, rejected: 1, verifies: 1, hits: 1},
		})
	}
	return append(rows, faultRow{
		name: "redirect-loop", fault: fault.Fault{Kind: "redirect-loop", First: 4}, class: delivery.ClassPermanent,
		status: 307,
		says:   "more than 3", first: books{pushes: 4, rejected: 4, hits: 4},
		ends: delivery.ClassPermanent, tries: did(1, 0), then: books{pushes: 4, rejected: 4, hits: 4},
	})
}
