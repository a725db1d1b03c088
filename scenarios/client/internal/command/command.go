// Package command has what packages process and service need of a program that a scenario names: a
// name for it, why it can't be started, and what of its output may be shown.
package command

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fleetmark/fleetmark/internal/plaintext"
)

// MaxShown is the largest number of characters of a program's text in a message.
const MaxShown = 200

// Name returns a short name of the program that a command runs: its base name, or that of the script
// that it runs, such as push.py. The program env stands for the one that it runs.
func Name(words []string) string {
	if filepath.Base(words[0]) == "env" {
		isProgram := func(word string) bool { return !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") }
		if at := slices.IndexFunc(words[1:], isProgram); at >= 0 {
			words = words[1+at:]
		}
	}
	for _, word := range words {
		if base := filepath.Base(word); isScript(filepath.Ext(base)) && word[0] != '-' && !strings.Contains(word, "://") {
			return base
		}
	}
	return filepath.Base(words[0])
}

// isScript reports whether files with an extension are run by an interpreter.
func isScript(extension string) bool {
	switch strings.ToLower(extension) {
	case ".py", ".js", ".mjs", ".cjs", ".ts", ".sh", ".bash", ".ps1", ".rb", ".pl", ".php", ".lua", ".tcl", ".exs",
		".r", ".jl", ".jar", ".dll", ".kts", ".groovy":
		return true
	}
	return false
}

// Word returns a name as a word for tables and files: characters other than letters, digits, dots,
// dashes and underscores become dashes.
func Word(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, plaintext.Clip(name, 64))
}

// CheckDirectory returns an error if a program can't be started in a directory. An empty one is the
// current one.
func CheckDirectory(program, directory string) error {
	if directory == "" {
		return nil
	}
	if info, err := os.Stat(directory); err != nil || !info.IsDir() {
		return fmt.Errorf("%s can't be started: %s is no directory: want the one in which it is to run", program, directory)
	}
	return nil
}

// StartError returns the error of a program that can't be started, in one line. err is what
// exec.Cmd.Start or exec.LookPath returned.
func StartError(program string, err error) error {
	program = plaintext.Clip(plaintext.Line(program), MaxShown)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%s is not installed, or not in PATH: want a program, "+
			"or ./%[1]s for one in the scenario's directory", program)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist, or the interpreter that its first line names: want a program", program)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s is not executable: want a program; "+
			"for a script, chmod +x or its interpreter before it", program)
	}
	if path, ok := errors.AsType[*fs.PathError](err); ok {
		err = path.Err
	}
	return fmt.Errorf("%s can't be started: %w", program, err)
}

// minSecret is the length of the shortest word of a header field's value that is removed from text
// without the rest of the value, such as the token of "Bearer TOKEN".
const minSecret = 8

// Redactor returns what removes the values of header fields from text, as they are or quoted, and
// their longer words. *** stands for them.
func Redactor(header http.Header) *strings.Replacer {
	var values []string
	for _, list := range header {
		for _, v := range list {
			if v == "" {
				continue
			}
			quoted, _ := json.Marshal(v) // a string is always encoded
			values = append(values, v, string(quoted[1:len(quoted)-1]))
			for word := range strings.FieldsSeq(v) {
				if len(word) >= minSecret {
					values = append(values, word)
				}
			}
		}
	}
	// Of two values that begin at the same place, the one that comes first is replaced.
	slices.SortFunc(values, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, v := range values {
		pairs = append(pairs, v, "***")
	}
	return strings.NewReplacer(pairs...)
}

// Show returns text of a program for a message: without secrets, on one short line.
func Show(text string, secrets *strings.Replacer) string {
	return plaintext.Clip(plaintext.Line(secrets.Replace(text)), MaxShown)
}

// LastLine returns the last line of a program's output for a message. text is what was kept of the
// output, which is its end if that has more than limit bytes.
func LastLine(text string, limit int, secrets *strings.Replacer) string {
	at := strings.LastIndexByte(text, '\n') + 1
	last := secrets.Replace(text[at:])
	if at == 0 && len(text) > limit/2 {
		last = last[max(0, len(last)-MaxShown):] // it may begin with the rest of a secret
	}
	return plaintext.Clip(plaintext.Line(last), MaxShown)
}
