package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/plaintext"
	"github.com/fleetmark/fleetmark/scenarios/client/internal/command"
)

// A Rollout is what a service was told to do.
type Rollout struct {
	over chan struct{} // closed once said.Over is true

	mu   sync.Mutex
	said Said
}

// Said is what a service has said of a rollout.
type Said struct {
	// Began reports whether the trigger worked: its request was answered 2xx, or its command ended with
	// success, or with Config.ByExit, runs.
	Began bool

	// Over reports whether the service said that the rollout is over. Failed is then how many devices it
	// says it couldn't update, and FailedIDs are those that it named; nil if it named none.
	Over      bool
	Failed    int
	FailedIDs []string

	// Err is why the trigger failed, or why the service can't be asked, in one line. It is nil if neither
	// is so.
	Err error
	// Gave is how a command ended that Config.ByExit waited for, if it did not succeed: such as "rollout.sh
	// ended (exit status 1); its last line: …".
	Gave string
}

// Said returns what the service has said until now.
func (r *Rollout) Said() Said {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said
}

// Over returns a channel that is closed once the service said that the rollout is over.
func (r *Rollout) Over() <-chan struct{} { return r.over }

func (r *Rollout) say(change func(*Said)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.said.Over
	if change(&r.said); r.said.Over && !before {
		close(r.over)
	}
}

// Trigger tells the service to begin a rollout. It returns at once. Once ctx ends, the service isn't
// asked any more; a request under way is broken off, and a command is not.
func (s *Service) Trigger(ctx context.Context, v Values) *Rollout {
	r := &Rollout{over: make(chan struct{})}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(s.background, cancel)
	if s.cfg.Request == nil {
		s.triggerByCommand(ctx, r, v)
	} else {
		s.running.Go(func() { s.triggerByRequest(ctx, r, v) })
	}
	return r
}

// triggerByCommand starts the trigger's command.
func (s *Service) triggerByCommand(ctx context.Context, r *Rollout, v Values) {
	words := make([]string, len(s.cfg.Command))
	for i, word := range s.cfg.Command {
		words[i] = v.text(word, v.DevicesFile)
	}
	_, err := s.run(command.Name(s.cfg.Command), words, func(p *program) {
		ended := fmt.Sprintf("%s ended (%s)%s", p.name, p.end, p.lastWords(s.secrets))
		switch {
		case ctx.Err() != nil: // it was told to end
		case s.cfg.ByExit:
			r.say(func(said *Said) {
				if said.Over = true; p.err != nil {
					said.Gave = ended
				}
			})
		case p.err != nil:
			r.say(func(said *Said) { said.Err = fmt.Errorf("trigger.command: %s", ended) })
		default:
			r.say(func(said *Said) { said.Began = true })
			s.watch(ctx, r, v, answer{})
		}
	})
	s.Usage() // a sample of the memory, in case that it soon ends
	r.say(func(said *Said) {
		if err != nil {
			said.Err = fmt.Errorf("trigger.command: %w", err)
		} else if s.cfg.ByExit {
			said.Began = true
		}
	})
}

// triggerByRequest sends the trigger's request, and then waits for the end of the rollout.
func (s *Service) triggerByRequest(ctx context.Context, r *Rollout, v Values) {
	q := s.cfg.Request
	address := v.text(q.URL, "")
	fail := func(format string, args ...any) {
		r.say(func(said *Said) {
			said.Err = fmt.Errorf("trigger.request: %s %s: "+format, append([]any{q.Method, address}, args...)...)
		})
	}
	body := []byte(v.text(q.Body, string(v.Devices)))
	if q.Body == "" {
		var err error
		if body, err = v.DefaultBody(); err != nil {
			fail("%v", err)
			return
		}
	}
	header := q.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Content-Type") == "" {
		header.Set("Content-Type", contentType(body))
	}
	a, err := s.ask(ctx, q.Method, address, header, bytes.NewReader(body))
	switch {
	case ctx.Err() != nil:
	case err != nil:
		fail("%s", s.show(cause(err)))
	case a.status/100 != 2:
		fail("it answered %d%s", a.status, s.quote(a.body))
	default:
		r.say(func(said *Said) { said.Began = true })
		s.watch(ctx, r, v, a)
	}
}

// contentType returns the type of a request's body.
func contentType(body []byte) string {
	if json.Valid(body) {
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// cause returns what is wrong with a request, without its method and URL.
func cause(err error) string {
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return err.Error()
}

// quote returns the beginning of an answer, as a clause, or "" if it is empty.
func (s *Service) quote(body []byte) string {
	if text := s.show(string(body[:min(len(body), 8*command.MaxShown)])); text != "" {
		return ": " + strconv.Quote(text)
	}
	return ""
}

// watch asks the service whether the rollout is over, until it is or ctx ends. a is the answer to the
// trigger's request.
func (s *Service) watch(ctx context.Context, r *Rollout, v Values, a answer) {
	if s.cfg.Done == "" {
		return
	}
	address, err := s.doneURL(v, a)
	if err != nil {
		r.say(func(said *Said) { said.Err = fmt.Errorf("done: %w", err) })
		return
	}
	header := s.doneHeader(v, address)
	tick := time.NewTicker(askInterval)
	defer tick.Stop()
	for {
		a, err := s.ask(ctx, http.MethodGet, address, header, nil)
		if err == nil && a.status == http.StatusOK && strings.Contains(string(a.body), s.cfg.DoneText) {
			failed, ids := failedOf(a.body)
			r.say(func(said *Said) { said.Over, said.Failed, said.FailedIDs, said.Err = true, failed, ids, nil })
			return
		}
		r.say(func(said *Said) {
			if said.Err = nil; err != nil && ctx.Err() == nil {
				said.Err = fmt.Errorf("done: %s: %s", address, s.show(cause(err)))
			}
		})
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// doneHeader returns the header of requests to an address for Config.Done: that of the trigger's,
// without what is about its body. A host that only an answer names isn't told, since fields may be
// secrets.
func (s *Service) doneHeader(v Values, address string) http.Header {
	if s.cfg.Request == nil {
		return nil
	}
	if strings.Contains(s.cfg.Done, "{location}") {
		trigger, err := url.Parse(v.text(s.cfg.Request.URL, ""))
		to, failed := url.Parse(address)
		if err != nil || failed != nil || trigger.Host != to.Host {
			return nil
		}
	}
	header := s.cfg.Request.Header.Clone()
	header.Del("Content-Type")
	return header
}

// doneURL returns where the service says whether the rollout is over.
func (s *Service) doneURL(v Values, a answer) (string, error) {
	location := a.header.Get("Location")
	var of struct{ ID json.RawMessage }
	_ = json.Unmarshal(a.body, &of) // an answer without an id has none
	id := strings.Trim(string(of.ID), `"`)
	switch {
	case location == "" && strings.Contains(s.cfg.Done, "{location}"):
		return "", errors.New("the answer to the trigger's request has no Location, which {location} stands for")
	case id == "" && strings.Contains(s.cfg.Done, "{id}"):
		return "", errors.New("the answer to the trigger's request is no JSON object with an id, which {id} stands for")
	}
	text := strings.NewReplacer("{location}", location, "{id}", url.PathEscape(id)).Replace(v.text(s.cfg.Done, ""))
	if s.cfg.Request == nil {
		return text, nil
	}
	base, err := url.Parse(v.text(s.cfg.Request.URL, ""))
	if err != nil {
		return "", err
	}
	to, err := base.Parse(text) // a Location may be relative
	if err != nil {
		return "", err
	}
	return to.String(), nil
}

// failedOf returns how many devices an answer says failed, and which: by its member failed, which is
// a number or a list of IDs.
func failedOf(body []byte) (n int, ids []string) {
	var of struct{ Failed json.RawMessage }
	if json.Unmarshal(body, &of) != nil {
		return 0, nil
	}
	if json.Unmarshal(of.Failed, &ids) == nil {
		for i, id := range ids {
			ids[i] = plaintext.Line(id)
		}
		return len(ids), ids
	}
	if json.Unmarshal(of.Failed, &n) != nil || n < 0 {
		return 0, nil
	}
	return n, nil
}
