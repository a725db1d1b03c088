package rollout

import (
	"io"
	"sync"
	"time"
)

// A journalWriter writes lines in batches, from a goroutine of its own. A caller of add doesn't
// wait for the disk, unless two batches are waiting for it already.
type journalWriter struct {
	file       journalFile
	interval   time.Duration
	maxRecords int // in a batch
	wrap       func(error) error
	onError    func(error)

	mu      sync.Mutex
	notFull sync.Cond // a batch was taken away, or writing has failed
	pending []byte
	records int
	closing bool
	err     error // the first failure; nothing is written after it

	full chan struct{} // has an element if the batch is full, or the last
	done chan struct{} // closed when the goroutine has ended
}

// A journalFile has the methods of *os.File that writing needs.
type journalFile interface {
	io.WriteCloser
	Sync() error
}

// newJournal returns a writer to f, which close ends. The writer calls failed once, if writing
// fails, with the error that wrap made of the file's.
func newJournal(f journalFile, opts Journal, wrap func(error) error, failed func(error)) *journalWriter {
	j := &journalWriter{
		file: f, interval: opts.Every, maxRecords: opts.Records, wrap: wrap, onError: failed,
		full: make(chan struct{}, 1), done: make(chan struct{}),
	}
	j.notFull.L = &j.mu
	go j.run() // close waits for it
	return j
}

// add adds a record. After an error nothing more is written.
func (j *journalWriter) add(r journalRecord) error {
	line, err := r.encode()
	j.mu.Lock()
	defer j.mu.Unlock()
	for j.records >= j.maxRecords && j.err == nil {
		j.notFull.Wait()
	}
	if j.err != nil {
		return j.err
	}
	if err != nil {
		return j.wrap(err)
	}
	j.pending = append(j.pending, line...)
	if j.records++; j.records == j.maxRecords {
		j.wake()
	}
	return nil
}

// wake makes run write the batch now.
func (j *journalWriter) wake() {
	select {
	case j.full <- struct{}{}:
	default: // it is about to
	}
}

// run writes a batch when it is full, and at every interval.
func (j *journalWriter) run() {
	defer close(j.done)
	ticker := time.NewTicker(j.interval)
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

// takeBatch returns the batch, whose place spare takes, and reports whether it is the last.
func (j *journalWriter) takeBatch(spare []byte) (batch []byte, last bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	batch = j.pending
	j.pending, j.records = spare, 0
	j.notFull.Broadcast()
	return batch, j.closing
}

// write writes a batch, and returns when it is on the disk.
func (j *journalWriter) write(batch []byte) error {
	if len(batch) == 0 {
		return nil
	}
	if _, err := j.file.Write(batch); err != nil {
		return err
	}
	return j.file.Sync()
}

// fail notes that writing failed.
func (j *journalWriter) fail(err error) {
	j.mu.Lock()
	j.err = err
	j.notFull.Broadcast()
	j.mu.Unlock()
	j.onError(err)
}

// close writes the last batch, and closes the file, which releases its lock. It returns the first
// error that the journal had.
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
