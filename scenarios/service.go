package scenarios

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/yamlnode"
	"github.com/fleetmark/fleetmark/results"
)

// ServiceSpec says which service updates the devices, instead of a client that is asked for each
// operation. The service is told of all devices at once, and the ledger alone says what it did.
type ServiceSpec struct {
	// Start is the program with its arguments. It is empty if the service runs already, or if the
	// trigger's command is all there is.
	Start     []string    `yaml:"start,omitempty" json:"start,omitempty"`
	Directory string      `yaml:"directory,omitempty" json:"directory,omitempty"` // where commands run; empty: the current one
	Ready     string      `yaml:"ready,omitempty" json:"ready,omitempty"`         // the URL that answers 2xx once it is ready
	Trigger   TriggerSpec `yaml:"trigger" json:"trigger"`
	Devices   string      `yaml:"devices,omitempty" json:"devices,omitempty"`     // json, csv, or a template for a device
	Done      string      `yaml:"done,omitempty" json:"done,omitempty"`           // a URL, or DoneByExit
	DoneText  string      `yaml:"done_text,omitempty" json:"done_text,omitempty"` // what the answer contains once the rollout is over
	Deadline  Duration    `yaml:"deadline,omitempty" json:"deadline,omitempty"`   // for the whole rollout
	Pprof     string      `yaml:"pprof,omitempty" json:"pprof,omitempty"`         // where it serves profiles
}

// TriggerSpec says how a rollout begins: by a request or by a command.
type TriggerSpec struct {
	Request RequestSpec `yaml:"request,omitzero" json:"request,omitzero"`
	Command []string    `yaml:"command,omitempty" json:"command,omitempty"`
}

// RequestSpec is an HTTP request.
type RequestSpec struct {
	Method  string   `yaml:"method,omitempty" json:"method,omitempty"` // empty: POST
	URL     string   `yaml:"url" json:"url"`
	Headers []Header `yaml:"headers,omitempty" json:"headers,omitempty"`
	Body    string   `yaml:"body,omitempty" json:"body,omitempty"` // empty: a JSON object of all that the service needs to know
}

// DoneByExit is the ServiceSpec.Done of a service whose rollout is over when the trigger's command
// ends.
const DoneByExit = "exit"

// The forms of the list of devices. A template is the third.
const (
	DevicesJSON = "json"
	DevicesCSV  = "csv"
)

const defaultServiceDeadline = Duration(10 * 60 * 1e9)

// IsZero reports whether there is no service. Files then leave the section out.
func (s ServiceSpec) IsZero() bool {
	return len(s.Start) == 0 && s.Directory == "" && s.Ready == "" && s.Trigger.IsZero() && s.Devices == "" &&
		s.Done == "" && s.DoneText == "" && s.Deadline == 0 && s.Pprof == ""
}

// Program returns the command that is started and is the service: Start or, without it, that of the
// trigger. It returns nil for a service that runs already.
func (s ServiceSpec) Program() []string {
	if len(s.Start) > 0 {
		return s.Start
	}
	return s.Trigger.Command
}

// IsZero reports whether there is no trigger.
func (t TriggerSpec) IsZero() bool { return len(t.Command) == 0 && t.Request.IsZero() }

// IsZero reports whether there is no request.
func (r RequestSpec) IsZero() bool {
	return r.Method == "" && r.URL == "" && len(r.Headers) == 0 && r.Body == ""
}

// WithDefaults returns the service with defaults for the fields that are empty. It returns no
// service unchanged.
func (s ServiceSpec) WithDefaults() ServiceSpec {
	if s.IsZero() {
		return s
	}
	s.Devices, s.Deadline = cmp.Or(s.Devices, DevicesJSON), cmp.Or(s.Deadline, defaultServiceDeadline)
	if !s.Trigger.Request.IsZero() {
		s.Trigger.Request.Method = cmp.Or(s.Trigger.Request.Method, "POST")
	}
	return s
}

// becomeService changes a scenario, such as one of the catalog, into one of a service: it removes
// what a service isn't told of the client and the load.
func (s *Spec) becomeService() {
	s.Client = ClientSpec{Transport: Default().Client.Transport, Service: s.Client.Service}
	s.Load = LoadSpec{Model: Service, Operation: delivery.OpDeliver}
}

// placeholders are the words in braces that stand for something of the rollout.
var placeholders = []string{"devices", "count", "artifact", "artifact_url", "version", "size", "sha256", "ca"}

// answerPlaceholders are those that client.service.done may have: of the answer to the trigger's
// request.
var answerPlaceholders = []string{"location", "id"}

// checkService reports what is wrong with a service beyond the bounds of its fields.
func checkService(s *Spec, report reporter) {
	const path = "client.service"
	v := s.Client.Service
	if v.IsZero() {
		if s.Load.Model == Service {
			report("load.model", string(Service)+": there is no client.service", "one, or another model, such as closed")
		}
		return
	}
	if s.Load.Model.valid() && s.Load.Model != Service {
		report("load.model", string(s.Load.Model)+": a client.service decides itself what it does when;",
			string(Service)+", or no load at all")
	}
	bare := ClientSpec{Transport: s.Client.Transport}
	for _, of := range []struct {
		key string
		set bool
	}{
		{"dial_timeout", s.Client.DialTimeout != bare.DialTimeout}, {"answer_timeout", s.Client.AnswerTimeout != 0},
		{"total_timeout", s.Client.TotalTimeout != 0}, {"max_attempts", s.Client.MaxAttempts != 0},
		{"retry_base", s.Client.RetryBase != 0}, {"retry_cap", s.Client.RetryCap != 0}, {"max_idle", s.Client.MaxIdle != 0},
		{"good_reads", s.Client.ConfirmReads != 0}, {"poll", s.Client.PollInterval != 0}, {"poll_for", s.Client.PollTimeout != 0},
		{"defaults", s.Client.Defaults != ""}, {"headers", len(s.Client.Headers) > 0}, {"command", len(s.Client.Command) > 0},
	} {
		if of.set {
			report("client."+of.key, "a client.service isn't told of it", "it left out")
		}
	}
	checkServiceCommand(path+".start", v.Start, false, report)
	checkServiceCommand(path+".trigger.command", v.Trigger.Command, true, report)
	request := v.Trigger.Request
	switch byCommand := len(v.Trigger.Command) > 0; {
	case byCommand && !request.IsZero():
		report(path+".trigger", "has a request and a command", "one of them")
	case byCommand:
	case request.IsZero():
		report(path+".trigger", "is missing", "request: {url: http://…} or command: [PROGRAM, …], which begins the rollout")
	default:
		checkServiceURL(path+".trigger.request.url", request.URL, placeholders, report)
		checkRequestHeaders(path+".trigger.request.headers", request.Headers, report)
	}
	if v.Ready != "" {
		checkServiceURL(path+".ready", v.Ready, nil, report)
	}
	if v.Pprof != "" {
		checkServiceURL(path+".pprof", v.Pprof, nil, report)
	}
	switch {
	case v.Done == DoneByExit && len(v.Trigger.Command) == 0:
		report(path+".done", DoneByExit+": there is no trigger.command whose exit it could be;", "a URL, or nothing")
	case v.Done == "" && v.DoneText != "", v.Done == DoneByExit && v.DoneText != "":
		report(path+".done_text", "there is no URL whose answer could have it", "done: http://…")
	case v.Done != "" && v.Done != DoneByExit:
		checkServiceURL(path+".done", v.Done, slices.Concat(placeholders, answerPlaceholders), report)
	}
	switch v.Devices {
	case "", DevicesJSON, DevicesCSV:
		return
	}
	const want = `json, csv, or a template such as "{{.ID}} {{.Address}}"`
	if !strings.Contains(v.Devices, "{{") {
		report(path+".devices", strconv.Quote(yamlnode.Clip(v.Devices)), want)
	} else if _, err := template.New("devices").Parse(v.Devices); err != nil {
		report(path+".devices", strings.TrimPrefix(yamlnode.OneLine(err.Error()), "template: "), want)
	}
}

// ofServiceLoad reports whether a metric is measured of a service.
func ofServiceLoad(u results.Unit) bool {
	switch u.Name {
	case results.UnitRate, results.UnitThroughput, results.UnitCPU, results.UnitPeakMemory, results.UnitRequests,
		results.UnitWire, results.UnitFailed:
		return true
	}
	return u.Scope == results.WholeService
}

// checkServiceCommand reports a command that can't be started, and placeholders that don't exist.
func checkServiceCommand(path string, words []string, replaced bool, report reporter) {
	for i, word := range words {
		switch at := indexPath(path, i); {
		case i == 0 && strings.TrimSpace(word) == "":
			report(at, "is empty", "a program, such as ./orchestrator")
		case strings.ContainsRune(word, 0):
			report(at, strconv.Quote(word), "text without a NUL character")
		case replaced:
			checkPlaceholders(at, word, placeholders, report)
		}
	}
}

var placeholderPattern = regexp.MustCompile(`\{[a-z_0-9]+\}`)

// checkPlaceholders reports words in braces that stand for nothing.
func checkPlaceholders(path, text string, known []string, report reporter) {
	for _, word := range placeholderPattern.FindAllString(text, -1) {
		if !slices.Contains(known, strings.Trim(word, "{}")) {
			report(path, word+" stands for nothing"+didYouMean(strings.Trim(word, "{}"), known)+";",
				"{"+strings.Join(known, "}, {")+"}")
		}
	}
}

// checkServiceURL reports a URL that no request can be sent to.
func checkServiceURL(path, text string, known []string, report reporter) {
	if strings.HasPrefix(text, "{location}") && slices.Contains(known, "location") {
		return
	}
	plain := placeholderPattern.ReplaceAllString(text, "x")
	switch u, err := url.Parse(plain); {
	case err == nil && u.User != nil, err != nil && strings.Contains(text, "@"):
		report(path, "(not shown): it holds a user or a password", "http://HOST:PORT/PATH, and secrets in headers with env")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		report(path, strconv.Quote(yamlnode.Clip(text)), "http://HOST:PORT/PATH")
	default:
		checkPlaceholders(path, text, known, report)
	}
}

// checkRequestHeaders reports header fields without a name or a value, and secrets that are written
// in the file.
func checkRequestHeaders(path string, headers []Header, report reporter) {
	for i, h := range headers {
		at := indexPath(path, i)
		switch {
		case h.Name == "":
			report(at+".name", "is empty", "a field's name, such as X-Tenant")
		case (h.Value == "") == (h.Env == ""):
			report(at, h.Name, "either a value, or the name of an environment variable that holds it")
		case h.Value != "" && isSecretName(h.Name):
			report(at+".value", fmt.Sprintf("(not shown): %s is a secret", h.Name), "env: VARIABLE instead, so that it is written nowhere")
		case strings.ContainsAny(h.Value, "\r\n\x00"):
			report(at+".value", "has a line break or a NUL character", "a value of one line")
		}
	}
}
