package service

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/fleetmark/fleetmark/internal/childproc"
	"github.com/fleetmark/fleetmark/internal/osinfo"
	"github.com/fleetmark/fleetmark/scenarios/client/internal/command"
)

// A program is a process that was started, and that is waited for.
type program struct {
	name  string
	cmd   *exec.Cmd
	text  childproc.Tail // what it wrote, on either stream
	ended chan struct{}  // closed once it has ended

	// Once it has ended.
	end string        // how, such as "exit status 2"
	err error         // nil if it succeeded
	cpu time.Duration // user and system time, with that of children that it waited for

	// alone says that nothing of its process group is left then. Its number may then become that of
	// another process.
	alone bool

	closing sync.Once
}

// maxText is how many bytes of what a program writes are kept.
const maxText = 16 << 10

// run starts a program, which has the given name in messages. exited, if not nil, is called when it
// has ended.
func (s *Service) run(name string, words []string, exited func(*program)) (*program, error) {
	if err := findProgram(words[0], s.cfg.Directory); err != nil {
		return nil, err
	}
	p := &program{
		name: name, cmd: exec.Command(words[0], words[1:]...),
		text: childproc.Tail{Limit: maxText}, ended: make(chan struct{}),
	}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr, p.cmd.WaitDelay = s.cfg.Directory, &p.text, &p.text, time.Second
	childproc.SetGroup(p.cmd)
	childproc.KillWithThread(p.cmd)
	started := make(chan error)
	s.running.Go(func() {
		// The program is killed when the thread that started it ends; see childproc.KillWithThread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		p.end = fmt.Sprint(p.err)
		if state := p.cmd.ProcessState; state != nil {
			p.end, p.cpu = state.String(), state.UserTime()+state.SystemTime()
			if state.Success() { // it may have left a process that has its output
				p.err = nil
			}
		}
		p.alone = childproc.GroupEnded(p.cmd)
		close(p.ended)
		if exited != nil {
			exited(p)
		}
	})
	if err := <-started; err != nil {
		return nil, command.StartError(words[0], err)
	}
	s.mu.Lock()
	s.programs = append(s.programs, p)
	s.mu.Unlock()
	return p, nil
}

// findProgram returns an error if a program can't be started from a directory.
func findProgram(name, directory string) error {
	if err := command.CheckDirectory(name, directory); err != nil {
		return err
	}
	path := name
	if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
		path = filepath.Join(directory, name)
		if !strings.ContainsRune(path, filepath.Separator) {
			path = "." + string(filepath.Separator) + path
		}
	}
	if _, err := exec.LookPath(path); err != nil {
		return command.StartError(name, err)
	}
	return nil
}

// lastWords returns the last line that a program wrote, as a clause, or "" if it wrote none.
func (p *program) lastWords(secrets *strings.Replacer) string {
	last := command.LastLine(p.text.String(), maxText, secrets)
	if last == "" {
		return ""
	}
	return "; its last line: " + last
}

// close asks a program to end, with all that it has started, and kills what is left after the
// timeout.
func (p *program) close(timeout time.Duration) {
	p.closing.Do(func() {
		select {
		case <-p.ended:
			if p.alone {
				return
			}
		default:
		}
		var left []*os.Process // a handle of a process never becomes that of another
		for _, pid := range osinfo.ProcessTree(p.cmd.Process.Pid) {
			if child, err := os.FindProcess(pid); err == nil && pid != p.cmd.Process.Pid {
				left = append(left, child)
			}
		}
		_ = childproc.InterruptGroup(p.cmd) // it may have ended
		late := time.NewTimer(timeout)
		defer late.Stop()
		select {
		case <-p.ended:
		case <-late.C:
		}
		_ = childproc.KillGroup(p.cmd)
		<-p.ended
		for _, child := range left { // also what has left the group
			_ = child.Kill() // it has usually ended
			_ = child.Release()
		}
	})
}
