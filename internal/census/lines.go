package census

import (
	"bytes"
	"go/scanner"
	"go/token"
	"strings"
)

// Lines are the lines of some files. Each line is one of blank, comment and code: code
// where anything on it is, comment where it is that and nothing else, blank otherwise. An
// empty line within a comment is a comment's, within a string of code, code.
type Lines struct{ Files, Blank, Comment, Code int }

// All is how many lines there are.
func (l Lines) All() int { return l.Blank + l.Comment + l.Code }

// Add is the sum of both.
func (l Lines) Add(o Lines) Lines {
	return Lines{l.Files + o.Files, l.Blank + o.Blank, l.Comment + o.Comment, l.Code + o.Code}
}

// countGo counts a Go file by the language's own scanner, so that a comment sign in a
// string is code.
func countGo(text []byte) Lines {
	const comment, code = 1, 2
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments) // errors are counted; what can be told apart is
	kinds := make([]int, file.Size()+2)
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && literal != ";" { // the scanner's own, at a line's end
			continue
		}
		kind := code
		if tok == token.COMMENT {
			kind = comment
		}
		first := file.Line(pos)
		for line := first; line <= first+strings.Count(literal, "\n"); line++ {
			kinds[line] = max(kinds[line], kind)
		}
	}
	l := Lines{Files: 1}
	for i := range lineCount(text) {
		switch kinds[i+1] {
		case code:
			l.Code++
		case comment:
			l.Comment++
		default:
			l.Blank++
		}
	}
	return l
}

// countPlain counts a file whose comments, if it has any, take whole lines that begin
// with mark.
func countPlain(text []byte, mark string) Lines {
	l := Lines{Files: 1}
	for line := range bytes.Lines(text) {
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
			l.Blank++
		case mark != "" && bytes.HasPrefix(line, []byte(mark)):
			l.Comment++
		default:
			l.Code++
		}
	}
	return l
}

func lineCount(text []byte) int {
	n := bytes.Count(text, []byte("\n"))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}
