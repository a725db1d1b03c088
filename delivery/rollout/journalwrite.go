package rollout

import (
	"io"
	"sync"
	"time"
)

// journal writes lines in batches, from a goroutine of its own: whoever adds a line
// doesn't wait for the disk, unless two batches are waiting for it already.
type journalWriter struct {
	file   journalFile
	every  time.Duration
	most   int // records of a batch
	wrap   func(error) error
	failed func(error)

	mu      sync.Mutex
	room    sync.Cond // a batch was taken away, or nothing will be any more
	pending []byte
	records int
	closing bool
	err     error // the first failure: nothing is written after it

	full chan struct{} // holds 1: the batch is full, or the last
	done chan struct{} // closed when the goroutine has ended
}

// journalFile is what of *os.File is needed to write.
type journalFile interface {
	io.WriteCloser
	Sync() error
}

func newJournal(f journalFile, opts Journal, wrap func(error) error, failed func(error)) *journalWriter {
	j := &journalWriter{
		file: f, every: opts.Every, most: opts.Records, wrap: wrap, failed: failed,
		full: make(chan struct{}, 1), done: make(chan struct{}),
	}
	j.room.L = &j.mu
	go j.run() // close waits for it
	return j
}

// add takes a record. Its error is the journal's end.
func (j *journalWriter) add(r journalRecord) error {
	line, err := r.line()
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.records >= j.most && j.err == nil {
		j.room.Wait()
	}
	if j.err != nil {
		return j.err
	}
	if err != nil {
		return j.wrap(err)
	}
	j.pending = append(j.pending, line...)
	if j.records++; j.records == j.most {
		j.wake()
	}
	return nil
}

func (j *journalWriter) wake() {
	select {
	case j.full <- struct{}{}:
	default: // somebody else did
	}
}

// run writes a batch whenever one is full or old.
func (j *journalWriter) run() {
	defer close(j.done)
	ticker := time.NewTicker(j.every)
	defer ticker.Stop()
	var spare []byte
	for {
		select {
		case <-j.full:
		case <-ticker.C:
		}
		batch, last := j.takeBatch(spare)
		if err := j.write(batch); err != nil {
			j.fail(j.wrap(err))
			return
		}
		if last {
			return
		}
		spare = batch[:0]
	}
}

// takeBatch gives what is waiting, and whether that is the last.
func (j *journalWriter) takeBatch(spare []byte) (batch []byte, last bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	batch = j.pending
	j.pending, j.records = spare, 0
	j.room.Broadcast()
	return batch, j.closing
}

func (j *journalWriter) write(batch []byte) error {
	if len(batch) == 0 {
		return nil
	}
	if _, err := j.file.Write(batch); err != nil {
		return err
	}
	return j.file.Sync()
}

func (j *journalWriter) fail(err error) {
	j.mu.Lock()
	j.err = err
	j.room.Broadcast()
	j.mu.Unlock()
	j.failed(err)
}

// close writes what is waiting, and lets go of the file and its lock. Its error is
// the first that the journal had.
func (j *journalWriter) close() error {
	j.mu.Lock()
	j.closing = true
	j.mu.Unlock()
	j.wake()
	<-j.done
	err := j.file.Close()
	if j.err == nil && err != nil {
		return j.wrap(err)
	}
	return j.err
}
