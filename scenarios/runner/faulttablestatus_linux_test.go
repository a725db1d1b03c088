package runner

import (
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/mockfleet/fault"
)

func statusRows() (rows []faultRow) {
	rejected := counts{pushes: 1, rejected: 1, hits: 1}
	for _, status := range []int{400, 401, 403, 404, 413, 415, 422} {
		name := "status-" + strconv.Itoa(status)
		rows = append(rows, faultRow{
			name: name, fault: always(name),
			opClass: delivery.ClassPermanent, opStatus: status, opCounts: rejected,
			deliverClass: delivery.ClassPermanent, deliverRequests: requests(1, 0), deliverCounts: rejected,
		})
	}
	rows = append(rows, faultRow{
		name: "status-400/by number", fault: fault.Fault{Kind: "status", Status: 400},
		opClass: delivery.ClassPermanent, opStatus: 400, opCounts: rejected,
		deliverClass: delivery.ClassPermanent, deliverRequests: requests(1, 0), deliverCounts: rejected,
	})
	rows = append(rows, faultRow{
		name: "status-409", fault: once("status-409"),
		opClass: delivery.ClassConflict, opStatus: 409, opCounts: rejected,
		deliverRequests: requests(2, 2),
		deliverCounts:   counts{pushes: 2, applied: 1, rejected: 1, verifies: 2, hits: 1},
	})
	for _, status := range []int{408, 500, 502, 504} {
		name := "status-" + strconv.Itoa(status)
		rows = append(rows, faultRow{
			name: name, fault: once(name),
			opClass: delivery.ClassAmbiguous, opStatus: status, opCounts: rejected,
			deliverRequests: requests(2, 2),
			deliverCounts:   counts{pushes: 2, applied: 1, rejected: 1, verifies: 2, hits: 1},
		}, faultRow{
			name: name + "/for good", fault: always(name),
			opClass: delivery.ClassAmbiguous, opStatus: status, opCounts: rejected,
			deliverClass: delivery.ClassAmbiguous, deliverRequests: requests(3, 3),
			deliverCounts: counts{pushes: 3, rejected: 3, verifies: 3, hits: 3},
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
				continue // without Retry-After it is permanent, as above
			}
			f := once(name)
			f.RetryAfter = asked.after
			rows = append(rows, faultRow{
				name: name + asked.form, fault: f,
				opClass: delivery.ClassThrottled, opStatus: status, opRetryAfter: asked.after.After,
				opCounts:        rejected,
				deliverRequests: requests(2, 1),
				deliverCounts:   counts{pushes: 2, applied: 1, rejected: 1, verifies: 1, hits: 1},
			})
		}
	}
	return append(rows, faultRow{
		// The client asks for the version until the device has installed the update.
		name: "status-202", fault: lasting(always("status-202"), 20*time.Millisecond),
		opClass: delivery.ClassPending, opStatus: 202, opCounts: counts{pushes: 1, applied: 1, hits: 1},
		deliverCounts: counts{pushes: 1, applied: 1, verifies: 2, hits: 1}, extraRequests: true,
	})
}

func redirectRows() (rows []faultRow) {
	rejected := counts{pushes: 1, rejected: 1, hits: 1}
	refused := func(status int, form, origin, says string) faultRow {
		name := "redirect-" + strconv.Itoa(status)
		return faultRow{
			name: name + form, fault: fault.Fault{Kind: name, Origin: origin},
			opClass: delivery.ClassPermanent, opStatus: status, opErrorText: says, opCounts: rejected,
			deliverClass: delivery.ClassPermanent, deliverRequests: requests(1, 0), deliverCounts: rejected,
		}
	}
	for _, status := range []int{301, 302, 303} {
		rows = append(rows, refused(status, "", "", "redirect refused"))
	}
	for _, status := range []int{307, 308} {
		name := "redirect-" + strconv.Itoa(status)
		rows = append(rows, refused(status, "/other origin", "other", "another origin"), faultRow{
			name: name, fault: always(name),
			opCounts:        counts{pushes: 2, applied: 1, rejected: 1, hits: 1},
			deliverRequests: requests(1, 1),
			deliverCounts:   counts{pushes: 2, applied: 1, rejected: 1, verifies: 1, hits: 1},
		})
	}
	return append(rows, faultRow{
		name: "redirect-loop", fault: fault.Fault{Kind: "redirect-loop", First: 4},
		opClass: delivery.ClassPermanent, opStatus: 307, opErrorText: "more than 3",
		opCounts:     counts{pushes: 4, rejected: 4, hits: 4},
		deliverClass: delivery.ClassPermanent, deliverRequests: requests(1, 0),
		deliverCounts: counts{pushes: 4, rejected: 4, hits: 4},
	})
}
