package codestats

import (
	"bytes"
	"go/scanner"
	"go/token"
	"strings"
)

// Lines counts the lines of one or more files. A line that holds any code counts as code, one that holds
// only a comment as comment, and any other as blank. An empty line inside a comment counts as comment,
// and one inside a string literal as code.
type Lines struct{ Files, Blank, Comment, Code int }

// All returns the number of lines.
func (l Lines) All() int { return l.Blank + l.Comment + l.Code }

// Add returns the sum of l and o.
func (l Lines) Add(o Lines) Lines {
	return Lines{l.Files + o.Files, l.Blank + o.Blank, l.Comment + o.Comment, l.Code + o.Code}
}

// countGo counts the lines of a Go file. It uses Go's own scanner, so comment markers inside strings
// count as code.
func countGo(text []byte) Lines {
	const comment, code = 1, 2
	set := token.NewFileSet()
	file := set.AddFile("", -1, len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, scanner.ScanComments) // syntax errors are ignored
	kinds := make([]int, file.Size()+2)
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			break
		}
		if tok == token.SEMICOLON && literal != ";" { // inserted by the scanner at the end of a line
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

// countPlain counts the lines of a file in which a line that begins with mark is a comment. An empty mark
// means that the language has no such comments.
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

// lineCount returns the number of lines in text, a last line without a line feed included.
func lineCount(text []byte) int {
	n := bytes.Count(text, []byte("\n"))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}
