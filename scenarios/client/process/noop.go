package process

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/fleetmark/fleetmark/delivery"
	"github.com/fleetmark/fleetmark/internal/jsonscan"
)

// ServeNoop is a client that does nothing: it reads requests from in, and writes to out that each
// has succeeded. It returns when in ends.
func ServeNoop(in io.Reader, out io.Writer) error {
	r, w := bufio.NewReaderSize(in, maxLine), bufio.NewWriterSize(out, maxLine)
	if _, err := w.WriteString(`{"protocol":1,"version":"no-op"}` + "\n"); err != nil {
		return err
	}
	var answer []byte
	for hello := true; ; hello = false {
		if r.Buffered() == 0 { // answers to requests that came together leave together
			if err := w.Flush(); err != nil {
				return err
			}
		}
		line, err := r.ReadSlice('\n')
		for hello && errors.Is(err, bufio.ErrBufferFull) { // header fields may be long
			_, err = r.ReadSlice('\n')
		}
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if hello {
			continue
		}
		id, ok := requestID(line)
		if !ok {
			return errors.New("standard input holds no request; it is for fleetmark, which starts it")
		}
		answer = append(answer[:0], `{"id":`...)
		answer = append(strconv.AppendInt(answer, id, 10), `,"ok":true}`+"\n"...)
		if _, err := w.Write(answer); err != nil {
			return err
		}
	}
}

// requestID returns the id of a request, which is its first member.
func requestID(line []byte) (id int64, ok bool) {
	s := jsonscan.New(line)
	s.Object(func(name []byte) bool {
		if string(name) == "id" {
			id, ok = s.Number()
		}
		return false // the rest doesn't matter
	})
	return id, ok
}

// Overhead measures how long one operation at a time takes with a client that does nothing. command
// is the program and its arguments that make it call [ServeNoop].
func Overhead(ctx context.Context, command []string) (_ time.Duration, err error) {
	const warm, measured = 200, 2000
	artifact, err := delivery.ArtifactFromBytes([]byte("x"))
	if err != nil {
		return 0, err
	}
	u, err := delivery.NewUpdate("1", artifact)
	if err != nil {
		return 0, err
	}
	p, err := Start(ctx, Config{Command: command, Artifact: artifact, ArtifactFile: "none"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	var began time.Time
	for i := range warm + measured {
		if i == warm {
			began = time.Now()
		}
		if _, err := p.Deliver(ctx, delivery.Device{Address: "http://127.1.0.0:8080"}, u); err != nil {
			return 0, err
		}
	}
	return time.Since(began) / measured, nil
}
