package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Header fields of a message with results. A result that is larger than a message may be is divided
// into several.
const (
	kindHeader  = "Fleetmark-Kind"
	countHeader = "Fleetmark-Number" // of the message, from 1 in each agent and run
	lastHeader  = "Fleetmark-Last"   // "1" if the message is the last of its result
)

const (
	maxMessage   = 256 << 10              // bytes of a message's data; small, so that states get through between two
	maxQueued    = 64 << 20               // bytes of results that wait to be sent
	batchTime    = 250 * time.Millisecond // for which intervals are collected
	publishRetry = 200 * time.Millisecond // between two attempts
	publishWait  = 2 * time.Second        // for the acknowledgment of one attempt
)

// An outbox sends an agent's results to the stream of its run, in order. Each message has an id
// that stays the same when it is sent again, so that it counts once.
type outbox struct {
	js       jetstream.JetStream
	subject  string
	instance string

	wake    chan struct{} // has room for one
	closing chan struct{}
	done    chan struct{} // closed when the sender has ended

	mu     sync.Mutex
	batch  []byte   // intervals that follow the queue
	spare  [][]byte // empty buffers for further batches
	queue  []result
	queued int   // bytes of queue
	err    error // why results were dropped
	closed bool

	// Only the sender uses these until done is closed.
	sent   uint64 // messages that were acknowledged
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// A result is waiting to be sent.
type result struct {
	kind string
	data []byte
}

// errQueueFull is the error of an outbox whose results can't be sent as fast as they come.
var errQueueFull = fmt.Errorf("more than %d MiB wait to be sent", maxQueued>>20)

func newOutbox(js jetstream.JetStream, subject, instance string) *outbox {
	ctx, cancel := context.WithCancelCause(context.Background())
	o := &outbox{
		js: js, subject: subject, instance: instance, wake: make(chan struct{}, 1), closing: make(chan struct{}),
		done: make(chan struct{}), ctx: ctx, cancel: cancel,
	}
	go o.send()
	return o
}

// add queues a result. It never blocks, since it is called by what is measured.
func (o *outbox) add(kind string, data []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refuses(len(data)) {
		return
	}
	o.endBatch()
	o.queue, o.queued = append(o.queue, result{kind, data}), o.queued+len(data)
	signal(o.wake)
}

// addInterval queues an interval, which write appends to a buffer. Intervals that follow each other
// become one result. The buffers are used again, so that hardly any memory is allocated while the
// load is measured.
func (o *outbox) addInterval(write func(dst []byte) []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refuses(0) {
		return
	}
	if o.batch == nil {
		if n := len(o.spare); n > 0 {
			o.batch, o.spare = o.spare[n-1], o.spare[:n-1]
		} else {
			o.batch = make([]byte, 0, maxMessage)
		}
	}
	separator := byte(',')
	if len(o.batch) == 0 {
		separator = '['
	}
	if o.batch = write(append(o.batch, separator)); len(o.batch) > maxMessage/2 {
		o.endBatch()
		signal(o.wake)
	}
}

// refuses reports whether no more results are taken. The caller holds o.mu.
func (o *outbox) refuses(more int) bool {
	if o.err == nil && o.queued+len(o.batch)+more > maxQueued {
		o.err = errQueueFull
	}
	return o.closed || o.err != nil
}

// endBatch moves the intervals to the queue. The caller holds o.mu.
func (o *outbox) endBatch() {
	if len(o.batch) > 0 {
		o.queue = append(o.queue, result{intervalsKind, append(o.batch, ']')})
		o.queued += len(o.batch) + 1
		o.batch = nil
	}
}

// take removes all results from the queue.
func (o *outbox) take() []result {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.endBatch()
	list := o.queue
	o.queue, o.queued = nil, 0
	return list
}

// maxSpare is how many buffers are kept for further batches.
const maxSpare = 4

// release takes back the buffer of a batch that was sent.
func (o *outbox) release(r result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.kind == intervalsKind && len(o.spare) < maxSpare {
		o.spare = append(o.spare, r.data[:0])
	}
}

// send sends what is queued until the outbox is closed and empty, or its context ends.
func (o *outbox) send() {
	defer close(o.done)
	tick := time.NewTicker(batchTime)
	defer tick.Stop()
	for closing := false; ; {
		for _, r := range o.take() {
			if err := o.publish(r); err != nil {
				o.mu.Lock()
				o.err = err
				o.mu.Unlock()
				return
			}
			o.release(r)
		}
		if closing {
			return
		}
		select {
		case <-tick.C:
		case <-o.wake:
		case <-o.closing:
			closing = true
		case <-o.ctx.Done():
			return
		}
	}
}

// publish sends a result, in several messages if it is large.
func (o *outbox) publish(r result) error {
	for data := r.data; ; {
		part := data[:min(len(data), maxMessage)]
		data = data[len(part):]
		m := nats.NewMsg(o.subject)
		m.Data = part
		number := strconv.FormatUint(o.sent+1, 10)
		m.Header.Set(kindHeader, r.kind)
		m.Header.Set(countHeader, number)
		m.Header.Set(nats.MsgIdHdr, o.instance+"-"+number)
		if len(data) == 0 {
			m.Header.Set(lastHeader, "1")
		}
		if err := o.publishMessage(m); err != nil {
			return err
		}
		o.sent++
		if len(data) == 0 {
			return nil
		}
	}
}

// publishMessage sends a message until the stream has acknowledged it.
func (o *outbox) publishMessage(m *nats.Msg) error {
	for {
		ctx, cancel := context.WithTimeout(o.ctx, publishWait)
		_, err := o.js.PublishMsg(ctx, m)
		cancel()
		if err == nil {
			return nil
		}
		retry := time.NewTimer(publishRetry)
		select {
		case <-retry.C:
		case <-o.ctx.Done():
			retry.Stop()
			return errors.Join(context.Cause(o.ctx), err)
		}
	}
}

// close waits until all results are sent, or ctx ends, and returns how many messages that were, and
// why results are missing.
func (o *outbox) close(ctx context.Context) (uint64, error) {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	close(o.closing)
	stop := context.AfterFunc(ctx, func() { o.cancel(context.Cause(ctx)) })
	defer stop()
	<-o.done
	o.cancel(nil)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil && len(o.queue)+len(o.batch) > 0 {
		o.err = context.Cause(ctx)
	}
	return o.sent, o.err
}
